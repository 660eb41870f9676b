"""The verb `data inspect` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import GATE_SAID_NO
from graft.verbs.train import AllowLeakage, Assignments, Config, Seed, Strict

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at images before training on them.")

Folder = Annotated[Path, typer.Argument(help="A folder of images, in either layout of `train`.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON; progress goes to standard error.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write a contact sheet to this .html file, or everything to this .json."),
]


@data_app.callback()
def data() -> None:
    """Take what belongs to no verb below this one."""


@data_app.command()
def inspect(
    folder: Folder,
    as_json: Json = False,
    out: Out = None,
    seed: Seed = None,
    strict: Strict = None,
    allow_leakage: AllowLeakage = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Say what a folder of images holds, what is wrong with it, and whether `train` would accept it.

    Exits with 0 if it would with these settings, with 1 if it would refuse it. Nothing is written into the folder.
    """
    from graft.actions.data.inspect import InspectionRequest, run_inspection

    options = {"seed": seed, "data.strict": strict, "data.allow_leakage": allow_leakage}
    given = {name: value for name, value in options.items() if value is not None}
    if not run_inspection(InspectionRequest(folder, as_json, out, config, given, assignments or [])):
        raise SystemExit(GATE_SAID_NO)
