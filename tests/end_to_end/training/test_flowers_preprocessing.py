"""Real photographs as another library prepares them: the served answer hardly depends on whose preprocessing it was."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from contract.image_input import ImageInput
from contract.manifest import ModelManifest
from contract.versions import MANIFEST
from exporter.saved_model.loading import LoadedVersion
from tests.end_to_end.conftest import Trained
from trainer.data.preprocessing import scale_pixels
from trainer.runs.trained_model import Run, read_run

LEAST_AGREEMENT = 0.99
MEAN_DIFFERENCE = 0.01
"""Measured 0.002; 0.04 where Pillow takes the nearest pixel instead, which agrees on 97.8 %."""

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """What the published version and Pillow with the trained model say of N photos, and which are for testing."""

    served: Probabilities
    by_pillow: Probabilities
    is_test: npt.NDArray[np.bool_]

    @property
    def same_class(self) -> npt.NDArray[np.bool_]:
        """Whether both give the same class, bool [N]."""
        same: npt.NDArray[np.bool_] = self.served.argmax(axis=1) == self.by_pillow.argmax(axis=1)
        return same

    @property
    def differences(self) -> Probabilities:
        """The largest difference of a probability of each photo, float32 [N]."""
        return np.asarray(np.abs(self.served - self.by_pillow).max(axis=1))

    def in_words(self) -> str:
        """Say what was measured, of all photos and of those for testing."""
        return "; ".join(
            f"{self.same_class[which].sum()} of {which.sum()} {name} photos have the same class, the largest "
            f"difference of a probability is {self.differences[which].max():.2g}, the mean "
            f"{self.differences[which].mean():.2g}"
            for name, which in (("test", self.is_test), ("flower", np.ones_like(self.is_test)))
        )


def prepare_by_pillow(content: bytes, image_input: ImageInput) -> npt.NDArray[np.uint8]:
    """Decode, turn upright and resize an image without any code of ours, uint8 [H, W, 3]."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    return np.asarray(image.resize((image_input.width, image_input.height), Image.Resampling.BILINEAR))


def predict_by_pillow(run: Run, image_input: ImageInput, contents: list[bytes]) -> Probabilities:
    model = run.load_model()
    pixels = np.stack([prepare_by_pillow(content, image_input) for content in contents])
    batches = np.array_split(pixels, max(1, len(pixels) // 32))
    return np.concatenate([model(scale_pixels(batch, image_input), training=False).numpy() for batch in batches])


@pytest.fixture(scope="module")
def agreement(flowers: Trained) -> Agreement:
    """Both answers to every photo of the data set."""
    run, folder = read_run(flowers.run), flowers.models / flowers.name / "1"
    photos = sorted(run.record.dataset_folder.rglob("*.jpg"))
    contents = [photo.read_bytes() for photo in photos]
    image_input = ModelManifest.read(folder / MANIFEST).image_input
    test_photos = {image.path for image in run.record.test_images}
    return Agreement(
        LoadedVersion(folder).predict(contents).probabilities,
        predict_by_pillow(run, image_input, contents),
        np.array([photo in test_photos for photo in photos]),
    )


@pytest.mark.slow  # twenty seconds; the pixels are compared in every run
def test_pillow_prepares_a_photo_so_that_it_has_the_same_answer(agreement: Agreement) -> None:
    """Prepared by Pillow and asked of the trained model, at least 99 % of all photos have the served class.

    Of all 450: among the 90 for testing, a single one whose two likeliest classes are equally likely would be 1.1 %.
    """
    print(agreement.in_words())  # noqa: T201 - what was measured is part of the result
    assert (len(agreement.is_test), agreement.is_test.sum()) == (450, 90)
    assert agreement.same_class.mean() >= LEAST_AGREEMENT
    assert 0 < agreement.differences.mean() < MEAN_DIFFERENCE  # 0 would mean that nothing was prepared twice


@pytest.mark.slow  # it needs the same predictions
def test_a_test_photo_with_another_class_was_undecided(agreement: Agreement) -> None:
    """Where a test photo has another class, the version gave its two likeliest ones almost the same probability."""
    best = np.sort(agreement.served[agreement.is_test], axis=1)
    margins = best[:, -1] - best[:, -2]
    assert (margins[~agreement.same_class[agreement.is_test]] < 0.05).all()
    assert np.median(margins) > 0.1  # or it would prove nothing
