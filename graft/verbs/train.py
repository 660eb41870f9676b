"""The verb `train` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow

Data = Annotated[Path | None, typer.Argument(help="CLASS/*.jpg, split for you, or train|val|test/CLASS/*.jpg.")]
Name = Annotated[str | None, typer.Option(help="What the model will be called where it is served.")]
Architecture = Annotated[str | None, typer.Option(help="The network's family, or hub:PRESET.  [default: mobilenet_v2]")]
Alpha = Annotated[float | None, typer.Option(help="The network's width.  [default: 1.0]")]
Weights = Annotated[
    str | None, typer.Option(help="imagenet, none (from scratch), a weights file, or a run.  [default: imagenet]")
]
ImageSize = Annotated[int | None, typer.Option(help="Pixels each way.  [default: the family's own]")]
Unfreeze = Annotated[
    str | None,
    typer.Option(help="Last layers that phase two trains; 20,40 does it gradually.  [default: the family's own]"),
]
Seed = Annotated[int | None, typer.Option(help="Of everything random.  [default: 1]")]
BatchSize = Annotated[int | None, typer.Option(help="Pictures a step.  [default: 32]")]
Baselines = Annotated[
    str | None, typer.Option(help="Also train, to compare with: features, scratch, or features,scratch.")
]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse pictures that cannot be decoded.")]
AllowLeakage = Annotated[bool | None, typer.Option("--allow-leakage", help="Allow the same picture in two splits.")]
TensorBoard = Annotated[
    bool | None, typer.Option("--tensorboard", help="Write TensorBoard logs into the run's folder.")
]
Config = Annotated[Path | None, typer.Option(help="Settings in TOML, as a run's config.toml.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as head.dropout=[0.5,0.3].")
]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]
Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run: its folder, its id, or latest.")
]
Preview = Annotated[
    bool, typer.Option("--preview-augmentation", help="Only draw how training pictures are varied, to a PNG here.")
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
    baselines: Baselines = None,
    strict: Strict = None,
    allow_leakage: AllowLeakage = None,
    tensorboard: TensorBoard = None,
    config: Config = None,
    assignments: Assignments = None,
    runs: Runs = Path("runs"),
    resume: Resume = None,
    preview_augmentation: Preview = False,
) -> None:
    """Fine-tune a pretrained network on labelled pictures, in two phases."""
    prepare_tensorflow()
    from graft.actions.train import TrainingRequest, preview, resume_training, run_training

    given = {
        "model.architecture": architecture,
        "model.alpha": alpha,
        "model.weights": weights,
        "model.image_size": image_size,
        "phase_two.unfreeze": _numbers(unfreeze),
        "seed": seed,
        "data.batch_size": batch_size,
        "baselines": baselines.split(",") if baselines else None,
        "data.strict": strict,
        "data.allow_leakage": allow_leakage,
        "tensorboard": tensorboard,
    }
    settings = {key: value for key, value in given.items() if value is not None}
    request = TrainingRequest(data, name, config, settings, assignments or [], runs)
    if resume is not None:
        resume_training(resume, request)
    elif preview_augmentation:
        preview(request)
    else:
        run_training(request)


def _numbers(text: str | None) -> list[int | str] | None:
    """Return the numbers of `20,40`; what is none stays text, for the settings to refuse by name."""
    return None if text is None else [int(part) if part.isdecimal() else part for part in text.split(",")]
