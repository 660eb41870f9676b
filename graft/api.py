"""Training and exporting from Python, with the options of the command line as keyword arguments."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graft.actions.export import run_export
from graft.actions.train import TrainingRequest, given_settings, resume_training, run_training
from trainer.progress import Progress, TerminalProgress

if TYPE_CHECKING:
    from exporter.export import Exported
    from trainer.runs.trained_model import Run

AnyPath = str | Path
"""A path as a notebook writes it."""


def train(
    data: AnyPath,
    name: str,
    *,
    architecture: str | None = None,
    alpha: float | None = None,
    weights: AnyPath | None = None,
    image_size: int | None = None,
    unfreeze: int | Sequence[int] | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    epochs: int | Sequence[int] | None = None,
    learning_rate: float | Sequence[float] | None = None,
    patience: int | Sequence[int] | None = None,
    baselines: Sequence[str] | None = None,
    strict: bool | None = None,
    allow_leakage: bool | None = None,
    no_test: bool = False,
    tensorboard: bool | None = None,
    config: AnyPath | None = None,
    settings: Mapping[str, Any] | None = None,
    runs: AnyPath = "runs",
    quiet: bool = False,
) -> "Run":
    """Train a classifier on a folder of labelled images as `graft train` does, and return the run.

    The options are those of the command; `settings` are its `--set`, such as `{"phase_one.epochs": 5}`. What is not
    given is as in `config`, else the default. `quiet` prints nothing.

    Raises:
        CommandError: the name cannot be a model's.
        TrainerError: the data, the settings or the base weights cannot be used, or training diverged.
    """
    given = given_settings(
        architecture=architecture,
        alpha=alpha,
        weights=None if weights is None else str(weights),
        image_size=image_size,
        unfreeze=[unfreeze] if isinstance(unfreeze, int) else unfreeze,
        seed=seed,
        batch_size=batch_size,
        epochs=epochs,
        learning_rate=learning_rate,
        patience=patience,
        baselines=baselines,
        strict=strict,
        allow_leakage=allow_leakage,
        test_split=False if no_test else None,
        tensorboard=tensorboard,
    )
    file = None if config is None else Path(config)
    request = TrainingRequest(Path(data), name, file, {**given, **(settings or {})}, (), Path(runs))
    return run_training(request, _shown(quiet=quiet))


def resume(run: AnyPath = "latest", *, runs: AnyPath = "runs", quiet: bool = False) -> "Run":
    """Continue an interrupted run (its folder, its id, or `latest`) as `graft train --resume` does.

    Raises:
        TrainerError: there is no such run, or its images are not what they were.
    """
    return resume_training(str(run), Path(runs), _shown(quiet=quiet))


def export(
    run: "Run | AnyPath" = "latest",
    models: AnyPath = "models",
    *,
    runs: AnyPath = "runs",
    fixtures: AnyPath | None = None,
    accept_change: str | None = None,
    require_better_than: int | str | None = None,
    max_pixels: int | None = None,
    fold: bool = True,
    heatmap: bool = False,
    target: Literal["tensorflow-serving", "graft"] = "tensorflow-serving",
    server: str | None = None,
    again: bool = False,
    quiet: bool = False,
) -> "Exported":
    """Publish a run as the next version of its model as `graft export` does, and return the version.

    `run` is what `train` returned, a run's folder, its id, or `latest`. The options are those of the command.

    Raises:
        CommandError: a change is accepted without a reason.
        TrainerError: there is no such run.
        ExportError: the model cannot be exported, or a gate said no; nothing was published.
    """
    return run_export(
        str(run) if isinstance(run, str | Path) else str(run.folder),
        Path(models),
        Path(runs),
        _shown(quiet=quiet),
        server,
        max_pixels=max_pixels,
        fold=fold,
        heatmap=heatmap,
        given_fixtures=None if fixtures is None else Path(fixtures),
        accept_change=accept_change,
        better_than=None if require_better_than is None else str(require_better_than),
        target=target,
        again=again,
    )


def _shown(*, quiet: bool) -> AbstractContextManager[Progress]:
    return nullcontext(Progress()) if quiet else TerminalProgress()
