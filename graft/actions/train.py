"""The verb `train`, for the command line and for Python."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.actions.default_lineage import default_lineage
from graft.errors import CommandError
from lineage.store import Lineage
from trainer.config import TrainingConfig, parse_assignment, read_config
from trainer.data.image_folder import find_images
from trainer.models.defaults import fill_in
from trainer.progress import Progress, TerminalProgress
from trainer.runs.record import REPORT
from trainer.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from trainer.runs.trained_model import Run

_PREVIEW = Path("augmentation-preview.png")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SETTINGS = {
    "architecture": "model.architecture",
    "alpha": "model.alpha",
    "weights": "model.weights",
    "image_size": "model.image_size",
    "unfreeze": "phase_two.unfreeze",
    "seed": "seed",
    "batch_size": "data.batch_size",
    "baselines": "baselines",
    "strict": "data.strict",
    "allow_leakage": "data.allow_leakage",
    "tensorboard": "tensorboard",
}
"""The settings that have an option of their own, by its name."""


def given_settings(**options: Any) -> dict[str, Any]:
    """Return the settings of the options that were given, those not None, by dotted name."""
    return {_SETTINGS[name]: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked for; `given`, by dotted name, and `assignments` override the settings in `config`."""

    data: Path | None
    name: str | None
    config: Path | None
    given: dict[str, Any]
    assignments: Sequence[str]
    runs: Path

    def settings(self) -> TrainingConfig:
        """Return the settings, checked.

        Raises:
            ConfigurationError: a setting is unknown or does not fit.
        """
        overrides = dict(parse_assignment(text) for text in self.assignments)
        return read_config(self.config, {**self.given, **overrides})

    def only_resumes(self) -> None:
        """Refuse all that would make another run of one that is continued.

        Raises:
            CommandError: something else was given.
        """
        if self.data or self.name or self.config or self.given or self.assignments:
            raise CommandError(
                "A run is resumed with the data and settings that it began with; give --resume RUN and --runs only."
            )

    def given_data(self) -> Path:
        """Return the folder of images.

        Raises:
            CommandError: none was given.
        """
        if self.data is None:
            raise CommandError("Give a folder with one sub-folder of images per class: graft train DATA --name NAME.")
        return self.data

    def checked_name(self) -> str:
        """Return the name of the model.

        Raises:
            CommandError: it is missing, or cannot be the name of a folder and of a model.
        """
        if self.name is None:
            raise CommandError("Give the name of the served model: --name NAME.")
        if not _NAME.fullmatch(self.name):
            raise CommandError(f"A model's name may have letters, digits, '.', '_' and '-'; {self.name!r} was given.")
        return self.name


def run_training(request: TrainingRequest, shown: AbstractContextManager[Progress]) -> "Run":
    """Train, say how good the model is, and return the run; `shown` is where progress goes meanwhile.

    Raises:
        CommandError: the name or the folder cannot be used.
        TrainerError: training is not possible.
    """
    settings = fill_in(request.settings())
    data, name = request.given_data(), request.checked_name()
    find_images(data, settings.data, settings.seed)  # now: TensorFlow's start takes seconds
    with _started(shown) as (lineage, progress):
        from trainer.train import train  # takes seconds, which a misspelled option should not cost

        run = train(data, name, settings, request.runs, progress, lineage)
        _tell_result(run, progress)
    return run


def resume_training(name: str, runs: Path, shown: AbstractContextManager[Progress]) -> "Run":
    """Continue an interrupted run, say how good the model is, and return the run.

    Raises:
        TrainerError: there is no such run, or it cannot be continued.
    """
    with _started(shown) as (lineage, progress):
        from trainer.train import resume

        run = resume(name, runs, progress, lineage)
        _tell_result(run, progress)
    return run


def preview(request: TrainingRequest) -> None:
    """Write a contact sheet of some augmented training images.

    Raises:
        CommandError: the folder cannot be used, or the settings have no augmentation.
    """
    settings = fill_in(request.settings())
    data = request.given_data()
    find_images(data, settings.data, settings.seed)
    if not settings.augmentation.steps:
        raise CommandError(
            "The settings have no augmentation steps; add some, such as --set 'augmentation.steps=[{kind=\"flip\"}]'."
        )
    with TerminalProgress() as progress:
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from trainer.augmentation.preview import preview_training_images

        preview_training_images(_PREVIEW, data, settings)
        progress.on_note(f"Wrote {_PREVIEW}")


@contextmanager
def _started(shown: AbstractContextManager[Progress]) -> Iterator[tuple[Lineage, Progress]]:
    """Open the lineage, show progress, and start TensorFlow."""
    with default_lineage(create=True) as lineage, shown as progress:
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        yield lineage, progress


def _tell_result(run: "Run", progress: Progress) -> None:
    test = run.record.metrics["test"]
    low, high = test["accuracy_interval"]
    accuracy = f"{test['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})"
    progress.on_note(f"Test accuracy {accuracy} on {test['images']} images.")
    progress.on_note(f"Saved {run.folder}; the report is {run.folder / REPORT}")
    progress.on_note(f"Next: graft export {run.record.id}")
