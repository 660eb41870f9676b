"""The verb `export` on the command line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from contract.tensorflow_settings import prepare_tensorflow

Run = Annotated[str, typer.Argument(help="A run folder, the id of a run or its beginning, a tag, a name, or latest.")]
Models = Annotated[Path, typer.Option(help="The folder of published models, with one sub-folder for each name.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]
Fixtures = Annotated[
    Path | None,
    typer.Option(
        help="A folder of images with expected.csv (file,label,minimal_probability) that this version and every later "
        "one must satisfy."
    ),
]
AcceptChange = Annotated[
    str | None,
    typer.Option(metavar="WHY", help="Publish even if such an image is predicted otherwise; the reason is recorded."),
]
RequireBetterThan = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION",
        help="Refuse to publish if this published version (or latest) is significantly more accurate on the run's "
        "test images.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse images with more pixels before decoding them.  [default: the run's]"),
]
Fold = Annotated[
    bool, typer.Option(help="Fold BatchNorm layers into convolutions: faster, and the same to within rounding.")
]
Heatmap = Annotated[
    bool,
    typer.Option(
        "--heatmap",
        help="Also write the signature `heatmap`: where in an image its prediction comes from. Twice as large.",
    ),
]
Target = Annotated[
    Literal["tensorflow-serving", "graft"],
    typer.Option(
        help="The server it is for. TensorFlow Serving 2.18 does not decode WebP, so gateways refuse it; a version for "
        "graft modelserver alone takes WebP too."
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="A running model server: say whether it loads the version, and warn if not."
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="Publish even if a version with the same content is published already.")
]


def export(
    run: Run,
    models: Models = Path("models"),
    runs: Runs = Path("runs"),
    fixtures: Fixtures = None,
    accept_change: AcceptChange = None,
    require_better_than: RequireBetterThan = None,
    max_pixels: MaxPixels = None,
    fold: Fold = True,
    heatmap: Heatmap = False,
    target: Target = "tensorflow-serving",
    server: Server = None,
    again: Again = False,
) -> None:
    """Publish a run as the next version of its model, once it is proved to predict as the trained model does."""
    prepare_tensorflow()
    from graft.actions.export import run_export
    from trainer.progress import TerminalProgress

    run_export(
        run,
        models,
        runs,
        TerminalProgress(),
        server,
        max_pixels=max_pixels,
        fold=fold,
        heatmap=heatmap,
        given_fixtures=fixtures,
        accept_change=accept_change,
        better_than=require_better_than,
        target=target,
        again=again,
    )
