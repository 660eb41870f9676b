"""The command `graft VERB`. A package is imported only when its verb is used, so that `--help` is quick."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from graft.errors import BAD_INPUT, one_clear_line
from graft.verbs.check import ApiKey, check
from graft.verbs.export import export
from graft.verbs.gateway import gateway
from graft.verbs.keys import keys_app
from graft.verbs.lineage import lineage_app
from graft.verbs.modelserver import EngineName, modelserver
from graft.verbs.runs import runs_app
from graft.verbs.serving_flags import ServingFlags
from graft.verbs.tflite import tflite
from graft.verbs.train import train
from graft.verbs.versions import rollback, versions, withdraw


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with one_clear_line():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    help="From a folder of labelled pictures to a served image classifier.",
)

app.command()(train)
app.command()(export)
app.command()(tflite)
app.command()(check)
app.command()(versions)
app.command()(withdraw)
app.command()(rollback)
app.command(cls=ServingFlags)(modelserver)
app.command()(gateway)
app.add_typer(runs_app, name="runs")
app.add_typer(keys_app, name="keys")
app.add_typer(lineage_app, name="lineage")

Models = Annotated[Path, typer.Option(help="The folder of published models, one sub-folder a name.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def up(
    models: Models = Path("models"),
    name: Annotated[str | None, typer.Option(help="The model to serve; not needed where there is only one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.")] = 8000,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody ask who reaches the host, where it is not loopback.")
    ] = False,
    batching: Annotated[
        bool,
        typer.Option("--batching/--no-batching", help="Let requests of different clients share runs of the graph."),
    ] = True,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="What runs the network: auto takes LiteRT for a version that has a network for it, if it is faster."
        ),
    ] = "auto",
    tune: Annotated[
        bool,
        typer.Option(
            "--tune", help="Serve nothing: measure sizes of batches and write batching parameters for servers."
        ),
    ] = False,
) -> None:
    """Start a model server and a gateway for one model, and stop both on Ctrl-C.

    Other settings of the gateway may be given as GATEWAY_* variables.
    """
    if tune:
        from graft.actions.tuning import tune_batching

        tune_batching(models, name, engine)
        return
    from graft.actions.embedded import serve_embedded

    raise SystemExit(serve_embedded(models, name, host, port, insecure=insecure, batching=batching, engine=engine))


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Picture files.")],
    url: Annotated[str, typer.Option(help="Where the gateway is.")] = "http://127.0.0.1:8000",
    model: Annotated[str | None, typer.Option(help="Which model; not needed where there is only one.")] = None,
    api_key: ApiKey = None,
) -> None:
    """Ask a running gateway what is in some pictures."""
    from graft.verbs.predict import predict_pictures

    if not predict_pictures(images, url, model, api_key):
        raise SystemExit(BAD_INPUT)
