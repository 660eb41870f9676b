"""The verb `train` on the command line."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow
from trainer.interruption import sigterm_as_exception

Data = Annotated[Path | None, typer.Argument(help="CLASS/*.jpg, which is split, or train|val|test/CLASS/*.jpg.")]
Name = Annotated[str | None, typer.Option(help="The name of the served model.")]
Architecture = Annotated[str | None, typer.Option(help="The network, or hub:PRESET.  [default: mobilenet_v2]")]
Alpha = Annotated[
    float | None, typer.Option(help="Width multiplier.  [default: that of the weights' file or run, else 1.0]")
]
Weights = Annotated[
    str | None, typer.Option(help="imagenet, none (from scratch), a weights file, or a run.  [default: imagenet]")
]
ImageSize = Annotated[int | None, typer.Option(help="Height and width in pixels.  [default: the network's]")]
Unfreeze = Annotated[
    str | None,
    typer.Option(help="Number of last layers that phase two trains; 20,40 for two stages.  [default: the network's]"),
]
Seed = Annotated[int | None, typer.Option(help="Seed of all random numbers.  [default: 1]")]
BatchSize = Annotated[int | None, typer.Option(help="Images per training step.  [default: 32]")]
Epochs = Annotated[
    str | None,
    typer.Option(
        metavar="N|N,M",
        help="The most epochs of each phase, or N of the first and M of the second.  [default: 20,10]",
    ),
]
LearningRate = Annotated[
    str | None,
    typer.Option(
        metavar="X|X,Y",
        help="Adam's step size in phase one; phase two has a tenth of it, or Y.  [default: 0.001,0.0001]",
    ),
]
Patience = Annotated[
    str | None,
    typer.Option(
        metavar="N|N,M",
        help="Epochs without a better validation loss before a phase ends, for both or each.  [default: 4,3]",
    ),
]
Baselines = Annotated[
    str | None, typer.Option(help="Baselines to compare with: features, scratch, or features,scratch.")
]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse images that cannot be decoded.")]
AllowLeakage = Annotated[
    bool | None, typer.Option("--allow-leakage", help="Allow an image in two splits, or in two classes.")
]
NoTest = Annotated[
    bool, typer.Option("--no-test", help="Keep no images to test: more to train with, and no honest accuracy.")
]
TensorBoard = Annotated[
    bool | None, typer.Option("--tensorboard", help="Write TensorBoard logs into the run's folder.")
]
Config = Annotated[Path | None, typer.Option(help="Settings in TOML, such as a run's config.toml.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as head.dropout=[0.5,0.3].")
]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]
Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Continue an interrupted run: its folder, its id, a tag, or latest.")
]
Preview = Annotated[
    bool, typer.Option("--preview-augmentation", help="Only write a PNG with augmented training images here.")
]


def train(
    data: Data = None,
    name: Name = None,
    architecture: Architecture = None,
    alpha: Alpha = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    unfreeze: Unfreeze = None,
    seed: Seed = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    patience: Patience = None,
    baselines: Baselines = None,
    strict: Strict = None,
    allow_leakage: AllowLeakage = None,
    no_test: NoTest = False,
    tensorboard: TensorBoard = None,
    config: Config = None,
    assignments: Assignments = None,
    runs: Runs = Path("runs"),
    resume: Resume = None,
    preview_augmentation: Preview = False,
) -> None:
    """Fine-tune a pretrained network on labelled images, in two phases."""
    prepare_tensorflow()
    from graft.actions.train import TrainingRequest, given_settings, preview, resume_training, run_training
    from trainer.progress import TerminalProgress

    given = given_settings(
        architecture=architecture,
        alpha=alpha,
        weights=weights,
        image_size=image_size,
        unfreeze=_numbers(unfreeze),
        seed=seed,
        batch_size=batch_size,
        epochs=_numbers(epochs),
        learning_rate=_numbers(learning_rate),
        patience=_numbers(patience),
        baselines=baselines.split(",") if baselines else None,
        strict=strict,
        allow_leakage=allow_leakage,
        test_split=False if no_test else None,
        tensorboard=tensorboard,
    )
    request = TrainingRequest(data, name, config, given, assignments or [], runs)
    if preview_augmentation and resume is None:
        preview(request)
        return
    with sigterm_as_exception():
        if resume is None:
            run_training(request, TerminalProgress())
        else:
            request.only_resumes()
            resume_training(resume, runs, TerminalProgress())


def _numbers(text: str | None) -> list[int | float | str] | None:
    """Return the numbers of `20,40`; other parts stay text, which the settings refuse by name."""
    return None if text is None else [_number(part.strip()) for part in text.split(",")]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
