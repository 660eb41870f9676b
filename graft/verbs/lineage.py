"""The verb `lineage` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import GATE_SAID_NO

lineage_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Where a version came from, what was made from something, and whether it is all still there. "
    "Stored in lineage.db in the current folder, or where GRAFT_LINEAGE_URL says.",
)

Version = Annotated[str, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
Prefix = "; the first digits are enough."


@lineage_app.command()
def show(version: Version, as_json: Json = False) -> None:
    """Print where a version came from: run, settings, code, data set, pretrained weights, and earlier runs."""
    from graft.actions import lineage

    lineage.show(version, as_json=as_json)


@lineage_app.command()
def find(
    weights_digest: Annotated[str | None, typer.Option(help=f"Digest of a model's weights{Prefix}")] = None,
    dataset_digest: Annotated[str | None, typer.Option(help=f"Digest of a data set{Prefix}")] = None,
    base_digest: Annotated[str | None, typer.Option(help=f"Digest of pretrained weights{Prefix}")] = None,
    code_version: Annotated[str | None, typer.Option(help="The version of Graft that a run recorded.")] = None,
    run: Annotated[str | None, typer.Option(help="The id of a run.")] = None,
    as_json: Json = False,
) -> None:
    """Print what was made from something: runs, versions, TFLite files, and where they were published."""
    from graft.actions import lineage

    lineage.find(
        weights_digest=weights_digest,
        dataset_digest=dataset_digest,
        base_digest=base_digest,
        code_version=code_version,
        run=run,
        as_json=as_json,
    )


@lineage_app.command()
def verify() -> None:
    """Hash everything recorded that is on disk, and list what no longer matches; exits with 1 if anything does not."""
    from graft.actions import lineage

    if not lineage.verify():
        raise SystemExit(GATE_SAID_NO)


@lineage_app.command()
def withdraw(
    version: Version,
    why: Annotated[str, typer.Option(help="The reason, which is recorded.")],
    who: Annotated[str | None, typer.Option(help="Who decided it.  [default: you]")] = None,
) -> None:
    """Only record that a version was withdrawn, for example if its folder is elsewhere or gone.

    `graft withdraw` records it too, and hides the folder from servers.
    """
    from graft.actions import lineage

    lineage.withdraw(version, why, who)


@lineage_app.command()
def record(
    run: Annotated[
        str, typer.Argument(help="A run folder, the id of a run or its beginning, a tag, a name, or latest.")
    ],
    runs: Annotated[Path, typer.Option(help="The folder of training runs.")] = Path("runs"),
    models: Annotated[Path, typer.Option(help="The folder of published models.")] = Path("models"),
) -> None:
    """Record a run and its versions that were made without this lineage."""
    from graft.actions import lineage

    lineage.record(run, runs, models)
