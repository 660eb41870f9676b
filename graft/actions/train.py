"""The verb `train`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.actions.default_lineage import default_lineage
from graft.errors import CommandError
from lineage.store import Lineage
from trainer.config import TrainingConfig, parse_assignment, read_config
from trainer.data.image_folder import find_pictures
from trainer.interruption import sigterm_as_exception
from trainer.models.defaults import fill_in
from trainer.progress import Progress, TerminalProgress
from trainer.runs.record import REPORT
from trainer.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from trainer.runs.trained_model import Run

_PREVIEW = Path("augmentation-preview.png")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class TrainingRequest:
    """What the command line asks for; `given` and `assignments` override the settings in `config`."""

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

    def given_data(self) -> Path:
        """Return the folder of pictures.

        Raises:
            CommandError: none was given.
        """
        if self.data is None:
            raise CommandError("Give a folder with one sub-folder of pictures per class: graft train DATA --name NAME.")
        return self.data

    def checked_name(self) -> str:
        """Return the name of the model.

        Raises:
            CommandError: it is missing, or cannot be that of a folder and of a model.
        """
        if self.name is None:
            raise CommandError("Say what the model will be called where it is served: --name NAME.")
        if not _NAME.fullmatch(self.name):
            raise CommandError(f"--name may have letters, digits, '.', '_' and '-'; {self.name!r} was given.")
        return self.name


def run_training(request: TrainingRequest) -> None:
    """Train and say how good the model is.

    Raises:
        CommandError: the name or the folder cannot be used.
        TrainerError: the training cannot be done.
    """
    settings = fill_in(request.settings())
    data, name = request.given_data(), request.checked_name()
    find_pictures(data, settings.data, settings.seed)  # now: TensorFlow's start takes seconds
    with _started() as (lineage, progress):
        from trainer.train import train  # takes seconds, which a misspelled option should not cost

        _tell_result(train(data, name, settings, request.runs, progress, lineage), progress)


def resume_training(name: str, request: TrainingRequest) -> None:
    """Go on with an interrupted run, and say how good the model is.

    Raises:
        CommandError: something else was asked for too, which would have made it another run.
        TrainerError: there is no such run, or it cannot be continued.
    """
    if request.data or request.name or request.config or request.given or request.assignments:
        raise CommandError(
            "A run is resumed with the data and settings that it began with; give --resume RUN and --runs only."
        )
    with _started() as (lineage, progress):
        from trainer.train import resume

        _tell_result(resume(name, request.runs, progress, lineage), progress)


def preview(request: TrainingRequest) -> None:
    """Write a contact sheet of some training pictures as they are varied.

    Raises:
        CommandError: the folder cannot be used, or nothing is varied.
    """
    settings = fill_in(request.settings())
    data = request.given_data()
    find_pictures(data, settings.data, settings.seed)
    if not settings.augmentation.steps:
        raise CommandError(
            "The settings vary nothing: name steps, such as --set 'augmentation.steps=[{kind=\"flip\"}]'."
        )
    with TerminalProgress() as progress:
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from trainer.augmentation.preview import preview_training_pictures

        preview_training_pictures(_PREVIEW, data, settings)
        progress.on_note(f"Wrote {_PREVIEW}")


@contextmanager
def _started() -> Iterator[tuple[Lineage, Progress]]:
    """Open the lineage, show progress, hear SIGTERM, and start TensorFlow."""
    with default_lineage(create=True) as lineage, TerminalProgress() as progress, sigterm_as_exception():
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        yield lineage, progress


def _tell_result(run: "Run", progress: Progress) -> None:
    test = run.record.metrics["test"]
    low, high = test["accuracy_interval"]
    accuracy = f"{test['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})"
    progress.on_note(
        f"Test accuracy {accuracy} on {test['pictures']} pictures.\n"
        f"Saved {run.folder}; look at {run.folder / REPORT}\n"
        f"Next: graft export {run.record.id}"
    )
