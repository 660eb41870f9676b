"""Predictors inside this process: what was recorded at the export, the trained model, the SavedModel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contract.blessing import Blessing
from contract.image_input import ImageInput
from contract.signatures import SERVING_DEFAULT
from contract.versions import BLESSING, FIXTURES
from exporter.check.images import ImageBatch, ImageSet
from exporter.check.predictor import PredictedBatch
from exporter.errors import CheckError
from exporter.proof.expectations import GIVEN, read_expectations
from exporter.proof.fixtures import EXPECTED
from exporter.proof.rounding import LEAST_BOUND, bound_for, measure_noise
from exporter.saved_model.loading import LoadedVersion
from exporter.saved_model.warmup import string_array
from trainer.data.preprocessing import ImageDecoder
from trainer.runs.trained_model import DecodedImages, Run, predict_decoded


class RecordedPredictions:
    """The trained model's answers to a version's fixtures, as the export wrote them down."""

    name = "recorded answers"
    bound: float | None = None
    timed = False

    def __init__(self, version: Path, classes: int) -> None:
        folder = version / FIXTURES
        self._entries = _read_expected(folder / EXPECTED)
        self._refused = np.zeros(classes, np.float32)
        self.images = ImageSet(version, tuple(folder / entry.file for entry in self._entries))

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Look up what was answered; the images must be those of `images`."""
        by_name = {f"{FIXTURES}/{entry.file}": entry.probabilities for entry in self._entries}
        recorded = [by_name[name] for name in batch.names]
        rows = [self._refused if row is None else np.array(row, np.float32) for row in recorded]
        return PredictedBatch(np.stack(rows), np.array([row is not None for row in recorded]))


class TrainedModel:
    """The Keras model of a run, with our preprocessing before it; asked as the export asks it."""

    name = "trained model"
    bound: float | None = None
    timed = True

    def __init__(self, run: Run, image_input: ImageInput) -> None:
        self._model = run.load_model()
        self._input = image_input

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer from the pixels, with zeros for images that cannot be decoded."""
        predictions = predict_decoded(self._model, self._input, DecodedImages(batch.pixels, batch.valid))
        return PredictedBatch(predictions.probabilities, predictions.valid)

    def bound_here(self, images: ImageSet) -> float:
        """Return the bound from the model's own rounding noise on this processor; see `exporter.proof.rounding`."""
        batches = [batch.pixels[batch.valid] for batch in images.batches(ImageDecoder(self._input), lambda _: None)]
        return bound_for(measure_noise(self._model, self._input, np.concatenate(batches)))


class SavedModel:
    """A version as `tf.saved_model.load` loads it, asked through `serving_default`."""

    name = "SavedModel"
    timed = True

    def __init__(self, version: Path, bound: float) -> None:
        self.bound: float | None = bound
        self._version = LoadedVersion(version)

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer from the files' bytes."""
        (found,) = self._version.run({SERVING_DEFAULT: ("image_bytes", string_array(list(batch.contents)))}).values()
        return PredictedBatch(found["probabilities"], found["valid"], tuple(label.decode() for label in found["label"]))


def bound_on_fixtures(version: Path, trained: TrainedModel | None, fixtures: ImageSet) -> float:
    """Return how far what runs the network in this process may be from the reference on the version's fixtures.

    That is what the export let through, whose answers are recorded, or, where that is more, what the noise of the
    trained model gives here: the export may have been on another processor.

    Raises:
        ContractError: the version does not say what was let through.
    """
    blessed = (version / BLESSING).is_file()
    exported = (Blessing.read(version / BLESSING).bound if blessed else None) or LEAST_BOUND
    return max(exported, trained.bound_here(fixtures)) if trained else exported


def given_fixtures(version: Path) -> ImageSet | None:
    """Return the images that the model's users gave to its exports; None where there are none."""
    folder = version / GIVEN
    if not folder.is_dir():
        return None
    return ImageSet(version, tuple(folder / expectation.file for expectation in read_expectations(folder)))


class _Expected(BaseModel):
    model_config = ConfigDict(frozen=True)  # other fields may come: a newer export may record more

    file: str
    probabilities: tuple[float, ...] | None


def _read_expected(path: Path) -> Sequence[_Expected]:
    try:
        return TypeAdapter(tuple[_Expected, ...]).validate_json(path.read_bytes())
    except OSError as error:
        raise CheckError(f"The version has no fixtures to check it on: {path}: {error.strerror}.") from error
    except ValidationError as error:
        raise CheckError(f"{path} does not say what the fixtures' answers are: {error.errors()[0]['msg']}.") from error
