"""A training run on disk: the model, and everything that is known about how it came to be."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from contract.image_input import ImageInput
from contract.manifest import BaseWeights
from contract.versions import AlreadyPublishedError, publish, staged_folder
from trainer.config import TrainingConfig, read_config
from trainer.errors import RunNotFoundError
from trainer.preprocessing import PictureDecoder, scale_pixels
from trainer.progress import Epoch

LATEST = "latest"
_MODEL, _RECORD, _CONFIG, _HISTORY, _METRICS = (
    "model.keras",
    "run.json",
    "config.toml",
    "history.json",
    "metrics.json",
)


class TestPicture(BaseModel):
    """A picture that the model has not seen in training."""

    __test__ = False  # not a test class for pytest
    model_config = ConfigDict(frozen=True)

    path: Path
    label: str


class RunRecord(BaseModel):
    """What is known about a run besides its weights, settings and history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    ended: datetime
    labels: tuple[str, ...]
    image_input: ImageInput
    architecture: str
    base_weights: BaseWeights
    dataset_folder: Path
    dataset_digest: str
    pictures: dict[str, int]
    test_pictures: tuple[TestPicture, ...]
    kept_phase: str
    code_version: str
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished training run in its folder."""

    folder: Path
    record: RunRecord

    def load_model(self) -> Any:
        """Load the Keras model: float32 [N, H, W, 3] as `scale_pixels` makes it, to probabilities [N, C]."""
        return keras.saving.load_model(self.folder / _MODEL, compile=False)

    def config(self) -> TrainingConfig:
        """Read the settings of the run."""
        return read_config(self.folder / _CONFIG, {})


@dataclass(frozen=True)
class Answers:
    """`probabilities` float32 [N, C], zeros where `valid`, bool [N], is false, as the served model answers."""

    probabilities: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


def answer_pictures(model: Any, image_input: ImageInput, pictures: Sequence[bytes]) -> Answers:
    """Answer encoded pictures with a loaded model: the reference for everything that serves it.

    Each picture is decoded by itself, so that nothing can depend on its neighbours.
    """
    decoder = PictureDecoder(image_input)
    rows = [decoder.decode([picture]) for picture in pictures]
    pixels = np.concatenate([row for row, _ in rows])
    valid = np.concatenate([is_valid for _, is_valid in rows])
    probabilities = model(scale_pixels(pixels, image_input), training=False).numpy()
    return Answers(np.where(valid[:, None], probabilities, np.float32(0)), valid)


def save_run(runs: Path, record: RunRecord, config: TrainingConfig, epochs: Sequence[Epoch], model: Any) -> Run:
    """Write a run's folder under `runs`; it appears complete or not at all.

    Where another run of the same name ended in the same second, the id gets a number at its end.
    """
    with staged_folder(runs) as folder:
        model.save(folder / _MODEL, include_optimizer=False)
        (folder / _CONFIG).write_text(config.to_toml())
        (folder / _HISTORY).write_text(json.dumps([asdict(epoch) for epoch in epochs], indent=2) + "\n")
        (folder / _METRICS).write_text(json.dumps(record.metrics, indent=2) + "\n")
        saved = _publish_under_free_id(folder, runs, record)
    return Run(runs / saved.id, saved)


def _publish_under_free_id(folder: Path, runs: Path, record: RunRecord) -> RunRecord:
    wanted, number = record.id, 1
    while True:
        (folder / _RECORD).write_text(record.model_dump_json(indent=2) + "\n")
        try:
            publish(folder, runs / record.id)
        except AlreadyPublishedError:
            number += 1
            record = record.model_copy(update={"id": f"{wanted}-{number}"})
        else:
            return record


def find_run(name: str, runs: Path) -> Path:
    """Find a run by its folder, its id under `runs`, or as `latest`.

    Raises:
        RunNotFoundError: there is no such run.
    """
    known = sorted(path.parent for path in runs.glob(f"[!.]*/{_RECORD}"))
    if name == LATEST and known:
        return max(known, key=lambda folder: read_run(folder).record.ended)
    for folder in (Path(name), runs / name):
        if (folder / _RECORD).is_file():
            return folder
    there = f"there are {', '.join(path.name for path in known[-5:])}" if known else "there are none yet"
    raise RunNotFoundError(f"There is no run {name!r} under {runs}; {there}. `graft train` makes one.")


def read_run(folder: Path) -> Run:
    """Read what is known about the run in `folder`.

    Raises:
        RunNotFoundError: the folder holds no run that can be read.
    """
    try:
        return Run(folder, RunRecord.model_validate_json((folder / _RECORD).read_bytes()))
    except OSError as error:
        raise RunNotFoundError(f"No run can be read at {folder}: {error.strerror}.") from error
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise RunNotFoundError(f"{folder / _RECORD} is no record of a run: {reason}.") from error
