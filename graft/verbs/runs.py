"""The verb `runs` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

runs_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show and compare training runs.")

Run = Annotated[str, typer.Argument(help="A run folder, the id of a run, or latest.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]


@runs_app.command("list")
def list_(runs: Runs = Path("runs")) -> None:
    """List all runs, including unfinished ones."""
    from graft.actions.runs import list_runs

    list_runs(runs)


@runs_app.command()
def show(run: Run, runs: Runs = Path("runs")) -> None:
    """Print what is known about a run."""
    from graft.actions.runs import show_run

    show_run(runs, run)


@runs_app.command()
def compare(a: Run, b: Run, runs: Runs = Path("runs")) -> None:
    """Print how two runs differ, and whether their difference in accuracy is significant."""
    from graft.actions.runs import compare_runs

    compare_runs(runs, a, b)
