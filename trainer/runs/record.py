"""The record of a run in its folder; read without TensorFlow, so that listing runs is fast."""

from collections.abc import Sequence
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
from trainer.runs.tags import tagged

_SHOWN = 5
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


METRICS_OF = {"val": "validation", "test": "test"}
"""Where the metrics of a held-out split are among those of a run."""
WITHOUT_TEST = (
    "No test split was taken (--no-test): accuracy is that of the validation images, which chose the epoch and the "
    "temperature, so it is optimistic."
)


class _RunModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", **READS_OLD_NAMES)


class TestImage(_RunModel):
    """A test image, or one to validate: the model was not trained on it."""

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
    validation_images: tuple[TestImage, ...] = Field((), description="Only where there is no test split.")
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

    @property
    def judged_on(self) -> str:
        """Where the metrics are that say how good the model is: `test`, or `validation` without a test split."""
        return "test" if "test" in self.metrics else "validation"

    @property
    def judged(self) -> dict[str, Any]:
        """These metrics, with the names that they have now."""
        judged: dict[str, Any] = self.current_metrics[self.judged_on]
        return judged

    @property
    def held_out_images(self) -> tuple[TestImage, ...]:
        """The images of these metrics."""
        return self.test_images or self.validation_images


def list_runs(runs: Path) -> list[Path]:
    """Return the folders of finished runs under `runs`, by name."""
    return sorted(path.parent for path in runs.glob(f"[!.]*/{RECORD}"))


def unfinished_runs(runs: Path) -> list[Path]:
    """Return the folders of runs under `runs` that can be resumed, by name."""
    started = (path.parent for path in runs.glob(f"[!.]*/{CHECKPOINT}"))
    return sorted(folder for folder in started if not (folder / RECORD).is_file())


def find_run(name: str, runs: Path) -> Path:
    """Find a finished run by its folder, its id under `runs` or what that alone begins with, a tag, its name, `latest`.

    Of several runs of a name it is the one that ended last; a tag counts more than a name.

    Raises:
        RunNotFoundError: the run does not exist, or several begin like this.
    """
    known = list_runs(runs)
    if name == LATEST and known:
        return max(known, key=lambda folder: read_record(folder).ended)
    try:
        return find_run_by_id(name, runs)
    except RunNotFoundError:
        if not (found := tagged(name, known) or _named(name, known)):
            raise
        return found


def find_run_by_id(name: str, runs: Path) -> Path:
    """Find a finished run by its folder or its whole id under `runs`.

    Raises:
        RunNotFoundError: the run does not exist.
    """
    known = list_runs(runs)
    for folder in (Path(name), runs / name):
        if (folder / RECORD).is_file():
            return folder
        if (folder / CHECKPOINT).is_dir():
            raise RunNotFoundError(f"The run {folder} is not finished; continue it with graft train --resume {name}.")
    there = f"the last runs are {', '.join(path.name for path in known[-5:])}" if known else "there are none yet"
    raise RunNotFoundError(f"There is no run {name!r} under {runs}; {there}. `graft train` makes one.")


def _named(name: str, known: Sequence[Path]) -> Path | None:
    """Return the last run of this name, or else the only one whose id begins with it.

    Raises:
        RunNotFoundError: the ids of several do.
    """
    ended = {folder: record.ended for folder in known if (record := _readable(folder)) and record.name == name}
    if ended:
        return max(ended, key=lambda folder: ended[folder])
    beginning = [folder for folder in known if name and folder.name.startswith(name)]
    if len(beginning) > 1:
        ids = ", ".join(folder.name for folder in beginning[:_SHOWN])
        raise RunNotFoundError(f"{len(beginning)} runs begin with {name!r}: {ids}; give more of the id.")
    return beginning[0] if beginning else None


def _readable(folder: Path) -> "RunRecord | None":
    try:
        return read_record(folder)
    except RunNotFoundError:
        return None


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
    return read_config(folder / CONFIG, {}, of_run=True)
