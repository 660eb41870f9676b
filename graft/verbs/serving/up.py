"""The verb `up`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.verbs.serving.modelserver import EngineName

Models = Annotated[Path, typer.Option(help="The folder of published models, with a sub-folder for each.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--name", help="A model to serve; repeat for more, the default one first.  [default: all]"),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow requests without a key on an address other than loopback.")
]
Batching = Annotated[
    bool, typer.Option("--batching/--no-batching", help="Batch requests of different clients together.")
]
Engine = Annotated[
    EngineName,
    typer.Option(
        help="What runs the network; auto takes LiteRT where a version has a network for it, unless 20 % slower."
    ),
]
Tune = Annotated[
    bool, typer.Option("--tune", help="Do not serve; measure batch sizes and write a batching parameters file.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log everything, also requests and what libraries say about themselves.")
]


def up(
    models: Models = Path("models"),
    name: Names = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    insecure: Insecure = False,
    batching: Batching = True,
    engine: Engine = "auto",
    tune: Tune = False,
    verbose: Verbose = False,
) -> None:
    """Start a model server and a gateway for one model or more, and stop both on Ctrl-C.

    Other settings of the gateway can be set with GATEWAY_* variables. On a terminal only warnings are logged, unless
    --verbose or GATEWAY_LOG_LEVEL says otherwise.
    """
    if tune:
        from graft.actions.tuning import tune_batching

        tune_batching(models, name or (), engine)
        return
    from graft.actions.up.run import ServeModels, serve_embedded

    wanted = ServeModels(models, name or (), host, port, insecure, batching, engine, verbose)
    raise SystemExit(serve_embedded(wanted))
