"""Predictors inside this process: what was recorded at the export, the trained model, the SavedModel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contract.image_input import ImageInput
from contract.versions import FIXTURES
from exporter.check.images import PictureBatch, PictureSet
from exporter.check.predictor import PredictedBatch
from exporter.errors import CheckError
from exporter.proof.expectations import GIVEN, read_expectations
from exporter.proof.fixtures import EXPECTED
from exporter.proof.parity import LARGEST_DIFFERENCE
from exporter.saved_model.loading import LoadedVersion
from exporter.saved_model.signatures import SERVING_DEFAULT
from exporter.saved_model.warmup import string_array
from trainer.runs.trained_model import DecodedPictures, Run, answer_decoded


class RecordedAnswers:
    """The trained model's answers to a version's fixtures, as the export wrote them down."""

    name = "recorded answers"
    bound: float | None = None
    timed = False

    def __init__(self, version: Path, classes: int) -> None:
        folder = version / FIXTURES
        self._entries = _read_expected(folder / EXPECTED)
        self._refused = np.zeros(classes, np.float32)
        self.pictures = PictureSet(version, tuple(folder / entry.file for entry in self._entries))

    def answer(self, batch: PictureBatch) -> PredictedBatch:
        """Look up what was answered; the pictures must be those of `pictures`."""
        by_name = {f"{FIXTURES}/{entry.file}": entry.probabilities for entry in self._entries}
        recorded = [by_name[name] for name in batch.names]
        rows = [self._refused if row is None else np.array(row, np.float32) for row in recorded]
        return PredictedBatch(np.stack(rows), np.array([row is not None for row in recorded]))


class TrainedModel:
    """The Keras model of a run, with our preprocessing before it; asked as the export asks it."""

    name = "trained model"
    bound: float | None = LARGEST_DIFFERENCE
    timed = True

    def __init__(self, run: Run, image_input: ImageInput) -> None:
        self._model = run.load_model()
        self._input = image_input

    def answer(self, batch: PictureBatch) -> PredictedBatch:
        """Answer from the pixels, with zeros for pictures that cannot be decoded."""
        answers = answer_decoded(self._model, self._input, DecodedPictures(batch.pixels, batch.valid))
        return PredictedBatch(answers.probabilities, answers.valid)


class SavedModel:
    """A version as `tf.saved_model.load` loads it, asked through `serving_default`."""

    name = "SavedModel"
    bound: float | None = LARGEST_DIFFERENCE
    timed = True

    def __init__(self, version: Path) -> None:
        self._version = LoadedVersion(version)

    def answer(self, batch: PictureBatch) -> PredictedBatch:
        """Answer from the files' bytes."""
        (found,) = self._version.run({SERVING_DEFAULT: ("image_bytes", string_array(list(batch.contents)))}).values()
        return PredictedBatch(found["probabilities"], found["valid"], tuple(label.decode() for label in found["label"]))


def given_fixtures(version: Path) -> PictureSet | None:
    """Return the pictures that the model's users gave to its exports; None where there are none."""
    folder = version / GIVEN
    if not folder.is_dir():
        return None
    return PictureSet(version, tuple(folder / expectation.file for expectation in read_expectations(folder)))


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
