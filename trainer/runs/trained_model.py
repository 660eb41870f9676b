"""A finished training run on disk: the trained model and its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from contract.digests import digest_of_bytes, digest_of_entries
from contract.image_input import ImageInput
from trainer.config import TrainingConfig
from trainer.data.preprocessing import ImageDecoder, scale_pixels
from trainer.models.hub import prepare_to_load
from trainer.runs.record import MODEL, RunRecord, read_record, read_settings


@dataclass(frozen=True)
class Run:
    """A finished training run in its folder."""

    folder: Path
    record: RunRecord

    def load_model(self) -> Any:
        """Load the Keras model: float32 [N, H, W, 3] as `scale_pixels` makes it, to probabilities [N, C]."""
        prepare_to_load(self.folder / MODEL)
        return keras.saving.load_model(self.folder / MODEL, compile=False)

    def config(self) -> TrainingConfig:
        """Read the settings of the run."""
        return read_settings(self.folder)


@dataclass(frozen=True)
class MaskedPredictions:
    """`probabilities` float32 [N, C], zeros where `valid`, bool [N], is false, as in the served model."""

    probabilities: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


def read_run(folder: Path) -> Run:
    """Read the finished run in `folder`.

    Raises:
        RunNotFoundError: the folder has no readable record.
    """
    return Run(folder, read_record(folder))


@dataclass(frozen=True)
class DecodedImages:
    """`pixels` uint8 [N, H, W, 3], zeros where `valid`, bool [N], is false."""

    pixels: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


def decode_each(image_input: ImageInput, images: Sequence[bytes]) -> DecodedImages:
    """Decode each encoded image in a batch of its own, so that it cannot depend on others."""
    decoder = ImageDecoder(image_input)
    rows = [decoder.decode([image]) for image in images]
    return DecodedImages(np.concatenate([row for row, _ in rows]), np.concatenate([valid for _, valid in rows]))


def predict_decoded(model: Any, image_input: ImageInput, images: DecodedImages) -> MaskedPredictions:
    """Predict decoded images with a loaded model, in one batch: the reference for everything that serves it."""
    probabilities = model(scale_pixels(images.pixels, image_input), training=False).numpy()
    return MaskedPredictions(np.where(images.valid[:, None], probabilities, np.float32(0)), images.valid)


def digest_of_tensors(tensors: Sequence[npt.NDArray[Any]]) -> str:
    """Return the digest of a model's weights, in Keras's order."""
    return digest_of_entries(
        (f"{index:04d}", digest_of_bytes(np.ascontiguousarray(tensor).data.cast("B")))
        for index, tensor in enumerate(tensors)
    )
