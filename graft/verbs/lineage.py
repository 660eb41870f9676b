"""The verb `lineage` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import GATE_SAID_NO

lineage_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Where a version came from, what came of something, and whether it is all still there. "
    "Kept in lineage.db in the current folder, or where GRAFT_LINEAGE_URL says.",
)

Version = Annotated[str, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Json = Annotated[bool, typer.Option("--json", help="Everything, as JSON.")]
Prefix = "; its first digits are enough."


@lineage_app.command()
def show(version: Version, as_json: Json = False) -> None:
    """Print the whole ancestry of a version: run, settings, code, data set, base, and the runs before."""
    from graft.actions import lineage

    lineage.show(version, as_json=as_json)


@lineage_app.command()
def find(
    weights_digest: Annotated[str | None, typer.Option(help=f"Of a model's weights{Prefix}")] = None,
    dataset_digest: Annotated[str | None, typer.Option(help=f"Of a data set{Prefix}")] = None,
    base_digest: Annotated[str | None, typer.Option(help=f"Of a base's weights{Prefix}")] = None,
    code_version: Annotated[str | None, typer.Option(help="Of Graft, as a run states it.")] = None,
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
    """Hash again what is recorded and lies on disk, and name what no longer matches; exits with 1 if anything."""
    from graft.actions import lineage

    if not lineage.verify():
        raise SystemExit(GATE_SAID_NO)


@lineage_app.command()
def withdraw(
    version: Version,
    why: Annotated[str, typer.Option(help="The reason, for those who ask later.")],
    who: Annotated[str | None, typer.Option(help="Whose decision it is.  [default: you]")] = None,
) -> None:
    """Only record that a version was taken back, such as one whose folder is elsewhere or gone.

    `graft withdraw` records it too, and takes the folder out of the servers' sight.
    """
    from graft.actions import lineage

    lineage.withdraw(version, why, who)


@lineage_app.command()
def record(
    run: Annotated[str, typer.Argument(help="A run folder, the id of a run, or latest.")],
    runs: Annotated[Path, typer.Option(help="The folder of training runs.")] = Path("runs"),
    models: Annotated[Path, typer.Option(help="The folder of published models.")] = Path("models"),
) -> None:
    """Record a run and its versions afterwards, where they were made without this lineage."""
    from graft.actions import lineage

    lineage.record(run, runs, models)
