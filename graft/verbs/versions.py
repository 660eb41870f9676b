"""The verbs `versions`, `withdraw` and `rollback` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(metavar="models/NAME", help="The folder of a published model.")]
Version = Annotated[Path, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Why = Annotated[str, typer.Option(help="The reason, which is recorded.")]
Names = Annotated[str | None, typer.Option(help="Who decided it.  [default: you]")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
EvenTheLast = Annotated[bool, typer.Option("--even-the-last", help="Also if no other version is left to serve.")]
Server = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="A running model server: say what it makes of it, and warn if it hangs."),
]
To = Annotated[
    int | None, typer.Option(metavar="VERSION", help="The version to go back to.  [default: the one before the newest]")
]


def versions(model: Model, as_json: Json = False) -> None:
    """List the versions of a model: date, accuracy, what was proved, and which one is served."""
    from graft.actions.versions.listing import list_versions

    list_versions(model, as_json=as_json)


def withdraw(
    version: Version, why: Why, who: Names = None, even_the_last: EvenTheLast = False, server: Server = None
) -> None:
    """Hide a version from servers in one step, and record who did it and why.

    Its folder stays beside the others under a hidden name, and its number is never used again. (`graft lineage
    withdraw` only records, and moves nothing.)
    """
    from graft.actions.versions.reason import Reason
    from graft.actions.versions.withdraw import withdraw_version

    withdraw_version(version, Reason.given(why, who), even_the_last=even_the_last, server=server)


def rollback(model: Model, why: Why, to: To = None, who: Names = None, server: Server = None) -> None:
    """Go back to an older version: publish its content again under a new number, which servers then load."""
    from graft.actions.versions.reason import Reason
    from graft.actions.versions.rollback import roll_back

    roll_back(model, to, Reason.given(why, who), server)
