"""The verb `train`, for the command line and for Python."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.storage.unwritable import naming_folder
from graft.actions.default_lineage import default_lineage
from graft.actions.given.arguments import refuse_as_data, refuse_as_parent, refuse_other_than_run
from graft.errors import CommandError
from lineage.store import Lineage
from trainer.config import TrainingConfig, parse_assignment, read_config
from trainer.data.image_folder import find_images
from trainer.models.defaults import fill_in
from trainer.progress import Progress, TerminalProgress
from trainer.runs.record import REPORT, WITHOUT_TEST
from trainer.runs.room import check_room
from trainer.tensorflow_start import start_tensorflow
from trainer.weights_source import with_width_of_weights

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
    "test_split": "data.test_split",
    "strict": "data.strict",
    "allow_leakage": "data.allow_leakage",
    "tensorboard": "tensorboard",
}
"""The settings that have an option of their own, by its name."""

_OF_PHASES = ("epochs", "learning_rate", "patience")
"""The settings of both phases that have an option: one number for both, or one for each."""

_PHASE_TWO_RATE = 0.1
"""Phase two's learning rate, as a share of phase one's, where one is given: what the defaults have."""


def given_settings(**options: Any) -> dict[str, Any]:
    """Return the settings of the options that were given, those not None, by dotted name.

    Raises:
        CommandError: more numbers than phases were given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    found = {_SETTINGS[name]: value for name, value in given.items() if name not in _OF_PHASES}
    for name in [each for each in _OF_PHASES if each in given]:
        found |= _for_both_phases(name, given[name])
    return found


def _for_both_phases(name: str, value: Any) -> dict[str, Any]:
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if len(numbers) not in {1, 2}:
        option = f"--{name.replace('_', '-')}"
        raise CommandError(f"{option} takes one number, or one for each of the two phases; {len(numbers)} were given.")
    first, second = numbers[0], numbers[-1]
    if name == "learning_rate" and len(numbers) == 1 and isinstance(first, int | float):
        second = first * _PHASE_TWO_RATE
    return {f"phase_one.{name}": first, f"phase_two.{name}": second}


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
        refuse_as_data(self.data)
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
    settings = request.settings()
    data, name = request.given_data().resolve(), request.checked_name()
    refuse_as_parent(request.runs, "--runs")
    check_room(request.runs)
    with shown as progress:
        found = find_images(data, settings.data, settings.seed, progress)  # now: TensorFlow's start takes seconds
        model = with_width_of_weights(settings.model, request.runs)
        settings = fill_in(settings.model_copy(update={"model": model}))
        with _started(progress) as lineage:
            from trainer.train import train  # takes seconds, which a misspelled option should not cost

            run = train(data, name, settings, request.runs, progress, lineage, found)
            _tell_result(run, progress)
    return run


def resume_training(name: str, runs: Path, shown: AbstractContextManager[Progress]) -> "Run":
    """Continue an interrupted run, say how good the model is, and return the run.

    Raises:
        CommandError: something else than a run was given.
        TrainerError: there is no such run, or it cannot be continued.
    """
    refuse_other_than_run(name, runs)
    with shown as progress, _started(progress) as lineage:
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

        with naming_folder(Path.cwd()):
            preview_training_images(_PREVIEW, data, settings)
        progress.on_note(f"Wrote {_PREVIEW}")


@contextmanager
def _started(progress: Progress) -> Iterator[Lineage]:
    """Open the lineage, and start TensorFlow."""
    with default_lineage(create=True) as lineage:
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        yield lineage


def _tell_result(run: "Run", progress: Progress) -> None:
    judged, has_test = run.record.judged, run.record.judged_on == "test"
    low, high = judged["accuracy_interval"]
    accuracy = f"{judged['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})"
    progress.on_note(f"{run.record.judged_on.capitalize()} accuracy {accuracy} on {judged['images']} images.")
    if not has_test:
        progress.on_note(WITHOUT_TEST)
    progress.on_note(f"Saved {run.folder}; the report is {run.folder / REPORT}")
    progress.on_note(f"Next: graft export {run.record.id}")
