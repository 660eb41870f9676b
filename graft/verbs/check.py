"""The verb `check` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow
from graft.errors import GATE_SAID_NO, CommandError

Version = Annotated[Path, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs, which has the trained model.")]
Data = Annotated[Path | None, typer.Option(help="Also compare on every image in this folder and its sub-folders.")]
Server = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="A server with TensorFlow Serving's gRPC API.  [default: start our own]"),
]
Gateway = Annotated[str | None, typer.Option(metavar="URL", help="Also compare a gateway, such as that of `graft up`.")]


def _as_printed(key: str | None) -> str | None:
    if key and not (key.strip().isascii() and key.strip().isprintable()):
        raise CommandError(
            "The API key (--api-key, GRAFT_API_KEY) has a character that no key has; give what `graft keys create` "
            "printed."
        )
    return key and key.strip()


ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="GRAFT_API_KEY",
        help="The gateway's API key, if it needs one; prefer the variable.",
        callback=_as_printed,
    ),
]
Bundles = Annotated[
    list[Path] | None,
    typer.Option("--bundle", metavar="DIR", help="Also compare the TFLite files of this bundle; can be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON; progress goes to standard error.")]


def check(
    version: Version,
    runs: Runs = Path("runs"),
    data: Data = None,
    server: Server = None,
    gateway: Gateway = None,
    bundles: Bundles = None,
    as_json: Json = False,
    api_key: ApiKey = None,
) -> None:
    """Compare everything that serves a version with its trained model: SavedModel, server, gateway, TFLite files.

    Compares on the version's fixtures and, with --data, on a folder. Exits with 1 if a bound is broken.
    """
    prepare_tensorflow()
    from graft.actions.check import CheckRequest, run_check

    request = CheckRequest(version, runs, data, server, gateway, bundles or [], as_json, api_key)
    if not run_check(request):
        raise SystemExit(GATE_SAID_NO)
