"""The verb `check` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow
from graft.errors import GATE_SAID_NO

Version = Annotated[Path, typer.Argument(metavar="models/NAME/VERSION", help="A published version.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs, where the trained model is.")]
Data = Annotated[Path | None, typer.Option(help="Also compare on every picture in this folder and below it.")]
Server = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="A server of TensorFlow Serving's gRPC API.  [default: start our own]"),
]
Gateway = Annotated[str | None, typer.Option(metavar="URL", help="Also compare a gateway, such as of `graft up`.")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="GRAFT_API_KEY", help="The gateway's key, where it wants one; better as the variable."),
]
Bundles = Annotated[
    list[Path] | None,
    typer.Option("--bundle", metavar="DIR", help="Also compare the TFLite files in this folder; repeat for more."),
]
Json = Annotated[bool, typer.Option("--json", help="Everything, as JSON; progress goes to standard error.")]


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
    """Compare all that serves a version with the model that was trained: SavedModel, server, gateway, TFLite files.

    On the version's own fixtures and, with --data, on a whole folder. Exits with 1 when a bound is broken.
    """
    prepare_tensorflow()
    from graft.actions.check import CheckRequest, run_check

    request = CheckRequest(version, runs, data, server, gateway, bundles or [], as_json, api_key)
    if not run_check(request):
        raise SystemExit(GATE_SAID_NO)
