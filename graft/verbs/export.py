"""The verb `export` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow


def export(
    run: Annotated[str, typer.Argument(help="A run folder, the id of a run, or latest.")],
    models: Annotated[Path, typer.Option(help="The folder of published models, one sub-folder a name.")] = Path(
        "models"
    ),
    runs: Annotated[Path, typer.Option(help="The folder of training runs.")] = Path("runs"),
    fixtures: Annotated[
        Path | None,
        typer.Option(
            help="A folder of pictures with expected.csv (file,label,minimal_probability), which this version and "
            "every later one must fulfil."
        ),
    ] = None,
    accept_change: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="Publish although such a picture is answered otherwise; the reason is kept."),
    ] = None,
    require_better_than: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="A published version, or latest: refuse to publish if it is right more often on the run's test "
            "pictures, by more than chance.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures of more pixels are refused before they are decoded.  [default: the run's]"),
    ] = None,
    fold: Annotated[
        bool, typer.Option(help="Fold BatchNorm layers into convolutions: faster, and the same within 1e-5.")
    ] = True,
) -> None:
    """Publish a run as the next version of its model, after proving that it answers the same."""
    prepare_tensorflow()
    from graft.actions.export import run_export

    run_export(
        run,
        models,
        runs,
        max_pixels=max_pixels,
        fold=fold,
        given_fixtures=fixtures,
        accept_change=accept_change,
        better_than=require_better_than,
    )
