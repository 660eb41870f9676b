"""The verb `settings` on the command line."""

from enum import StrEnum
from typing import Annotated

import typer


class Program(StrEnum):
    """What has settings."""

    TRAIN = "train"
    GATEWAY = "gateway"
    MODELSERVER = "modelserver"


Which = Annotated[Program | None, typer.Argument(help="Of which program.  [default: all three]")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings(program: Which = None, as_json: Json = False) -> None:
    """List every setting of training, the gateway and the model server, with its default and what it is for."""
    from graft.actions.settings import list_settings

    list_settings(program.value if program else "", as_json)
