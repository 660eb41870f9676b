"""The command `graft VERB`. A package is imported only when its verb is used, so that `--help` is quick."""

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from contract.plain_text import plain_text
from graft.errors import one_clear_line
from graft.verbs.bench import bench
from graft.verbs.check import check
from graft.verbs.data.inspect import data_app
from graft.verbs.export import export
from graft.verbs.keys import keys_app
from graft.verbs.lineage import lineage_app
from graft.verbs.predict import evaluate, predict
from graft.verbs.probe import probe
from graft.verbs.runs import runs_app
from graft.verbs.serving.foreign_flags import ServingFlags
from graft.verbs.serving.gateway import gateway
from graft.verbs.serving.modelserver import modelserver
from graft.verbs.serving.up import up
from graft.verbs.settings import settings
from graft.verbs.tflite import tflite
from graft.verbs.train import train
from graft.verbs.train_flags import TrainFlags
from graft.verbs.versions import rollback, versions, withdraw


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"graft {version('graft-serving')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print Graft's version, and end.")
]


_UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # Typer does not export it


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with one_clear_line():
            try:
                return super().invoke(ctx)
            except _UsageError as error:  # it repeats what was given
                error.message = plain_text(error.message)  # type: ignore[attr-defined]
                raise


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    help="From a folder of labelled images to a served image classifier.",
)


@app.callback()
def options(version: Version = False) -> None:
    """Take what belongs to no verb."""


app.command(cls=TrainFlags)(train)
app.command()(export)
app.command()(tflite)
app.command()(check)
app.command()(versions)
app.command()(withdraw)
app.command()(rollback)
app.command(cls=ServingFlags)(modelserver)
app.command()(gateway)
app.command()(up)
app.command()(predict)
app.command()(evaluate)
app.command()(probe)
app.command()(bench)
app.command()(settings)
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(keys_app, name="keys")
app.add_typer(lineage_app, name="lineage")


def main() -> None:
    """Run the command line. What a terminal or log cannot show is written as an escape, as in standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
