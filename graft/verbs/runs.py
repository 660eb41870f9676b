"""The verb `runs` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

runs_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Training runs: which there are, and which is better."
)

Run = Annotated[str, typer.Argument(help="A run folder, the id of a run, or latest.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]


@runs_app.command("list")
def list_(runs: Runs = Path("runs")) -> None:
    """Print a table of all runs, unfinished ones too."""
    from graft.actions.runs import list_runs

    list_runs(runs)


@runs_app.command()
def show(run: Run, runs: Runs = Path("runs")) -> None:
    """Print what is known about a run."""
    from graft.actions.runs import show_run

    show_run(runs, run)


@runs_app.command()
def compare(a: Run, b: Run, runs: Runs = Path("runs")) -> None:
    """Print what differs between two runs, and whether their difference in accuracy is more than chance."""
    from graft.actions.runs import compare_runs

    compare_runs(runs, a, b)
