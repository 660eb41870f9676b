"""The verb `tflite` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow

Version = Annotated[Path, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Out = Annotated[Path, typer.Option(help="The folder that becomes the bundle; it must not exist.")]
Variants = Annotated[str, typer.Option(help="Which files to make: some of float32, float16, dynamic, int8.")]
MaxAccuracyDrop = Annotated[
    float, typer.Option(min=0, max=1, help="Share of test pictures, besides one, that a variant may lose.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="Labelled pictures, in either layout of `train`.  [default: those of the version's run]"),
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace an older bundle at --out.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]


def tflite(
    version: Version,
    out: Out,
    variants: Variants = "float32,float16,dynamic,int8",
    max_accuracy_drop: MaxAccuracyDrop = 0.01,
    data: Data = None,
    replace: Replace = False,
    runs: Runs = Path("runs"),
) -> None:
    """Make the mobile bundle of a version: TFLite files that were measured, and how an app uses them."""
    prepare_tensorflow()
    from graft.actions.bundle import MobileRequest, run_tflite

    run_tflite(MobileRequest(version, out, variants, max_accuracy_drop, data, replace, runs))
