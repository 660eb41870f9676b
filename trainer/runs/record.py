"""The record of a run in its folder; read without TensorFlow, so that listing runs is fast."""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.image_input import ImageInput
from contract.manifest import BaseWeights
from contract.old_names import READS_OLD_NAMES, metrics_with_current_names
from contract.reference import ReferenceDistributions
from trainer.config import TrainingConfig, read_config
from trainer.errors import RunNotFoundError
from trainer.progress import PhaseName

LATEST = "latest"
MODEL, RECORD, CONFIG, HISTORY, METRICS, PREDICTIONS, REPORT = (
    "model.keras",
    "run.json",
    "config.toml",
    "history.json",
    "metrics.json",
    "predictions.csv",
    "report.html",
)
CHECKPOINT = "checkpoint"
"""The sub-folder that a run has until it is finished."""


class _RunModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", **READS_OLD_NAMES)


class TestImage(_RunModel):
    """A test image: the model was not trained on it."""

    __test__ = False  # not a test class for pytest

    path: Path
    label: str


class GateOutcome(_RunModel):
    """Whether phase two started, and why."""

    opened: bool
    forced: bool
    stopped_improving: bool
    val_loss: float
    bound: float = Field(description="Validation loss, in nats, that the head had to be below.")
    reason: str


class RunRecord(_RunModel):
    """Everything about a run besides its weights, settings and history."""

    id: str = Field(description="Also the run's name in the lineage database.")
    name: str
    started: datetime
    ended: datetime
    labels: tuple[str, ...]
    image_input: ImageInput
    architecture: str
    base_weights: BaseWeights
    dataset_folder: Path
    dataset_digest: str
    images: dict[str, int]
    test_images: tuple[TestImage, ...]
    kept_phase: PhaseName
    gate: GateOutcome | None = Field(None, description="None from scratch, where there is one phase.")
    temperature: float = Field(1.0, description="Divides the logits; the saved model contains it already.")
    reference: ReferenceDistributions | None = None
    weights_digest: str = Field(description="sha256 of the saved model's tensors.")
    code_version: str
    environment: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = Field((), description="Remarks on the results, a sentence each.")
    metrics: dict[str, Any] = Field(description="As they were written; see `current_metrics`.")

    @property
    def current_metrics(self) -> dict[str, Any]:
        """The metrics with the names that they have now, whichever version of Graft wrote them."""
        current: dict[str, Any] = metrics_with_current_names(self.metrics)
        return current


def list_runs(runs: Path) -> list[Path]:
    """Return the folders of finished runs under `runs`, by name."""
    return sorted(path.parent for path in runs.glob(f"[!.]*/{RECORD}"))


def unfinished_runs(runs: Path) -> list[Path]:
    """Return the folders of runs under `runs` that can be resumed, by name."""
    started = (path.parent for path in runs.glob(f"[!.]*/{CHECKPOINT}"))
    return sorted(folder for folder in started if not (folder / RECORD).is_file())


def find_run(name: str, runs: Path) -> Path:
    """Find a finished run by its folder, its id under `runs`, or as `latest`.

    Raises:
        RunNotFoundError: the run does not exist.
    """
    known = list_runs(runs)
    if name == LATEST and known:
        return max(known, key=lambda folder: read_record(folder).ended)
    for folder in (Path(name), runs / name):
        if (folder / RECORD).is_file():
            return folder
        if (folder / CHECKPOINT).is_dir():
            raise RunNotFoundError(f"The run {folder} is not finished; continue it with graft train --resume {name}.")
    there = f"the last runs are {', '.join(path.name for path in known[-5:])}" if known else "there are none yet"
    raise RunNotFoundError(f"There is no run {name!r} under {runs}; {there}. `graft train` makes one.")


def read_record(folder: Path) -> RunRecord:
    """Read the record of the run in `folder`.

    Raises:
        RunNotFoundError: the folder has no readable record.
    """
    try:
        return RunRecord.model_validate_json((folder / RECORD).read_bytes())
    except OSError as error:
        raise RunNotFoundError(f"No run can be read at {folder}: {error.strerror}.") from error
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise RunNotFoundError(f"{folder / RECORD} is not the record of a run: {reason}.") from error


def read_settings(folder: Path) -> TrainingConfig:
    """Read the settings of the run in `folder`."""
    return read_config(folder / CONFIG, {})
