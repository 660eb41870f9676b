"""The verb `runs` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

runs_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, show, compare, tag and prune training runs."
)

Run = Annotated[str, typer.Argument(help="A run folder, the id of a run or its beginning, a tag, a name, or latest.")]
Runs = Annotated[Path, typer.Option(help="The folder of training runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@runs_app.command("list")
def list_(runs: Runs = Path("runs"), as_json: Json = False) -> None:
    """List all runs, including unfinished ones."""
    from graft.actions.runs.listing import list_runs

    list_runs(runs, as_json=as_json)


@runs_app.command()
def show(run: Run, runs: Runs = Path("runs")) -> None:
    """Print what is known about a run."""
    from graft.actions.runs.comparing import show_run

    show_run(runs, run)


@runs_app.command()
def compare(a: Run, b: Run, runs: Runs = Path("runs")) -> None:
    """Print how two runs differ, and whether their difference in accuracy is significant."""
    from graft.actions.runs.comparing import compare_runs

    compare_runs(runs, a, b)


@runs_app.command()
def tag(
    run: Run,
    name: Annotated[str, typer.Argument(help="The tag; no other run has it.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag from the run.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Give a run a name of its own, which is usable wherever a run can be named."""
    from graft.actions.runs.tagging import tag_run, untag_run

    (untag_run if remove else tag_run)(runs, run, name)


@runs_app.command()
def prune(
    runs: Runs = Path("runs"),
    models: Annotated[Path, typer.Option(help="The folder of published models, whose runs are kept.")] = Path("models"),
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest runs of each name are kept.")] = 3,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also interrupted runs, which could still be resumed.")
    ] = False,
    even_needed: Annotated[
        bool, typer.Option("--even-needed", help="Also runs that the lineage of a published version needs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without it they are only listed.")] = False,
) -> None:
    """List old runs that nothing needs, and what deleting them would free; --yes deletes them."""
    from graft.actions.runs.pruning import PruneRequest, prune_runs

    prune_runs(PruneRequest(runs, models, keep, unfinished, even_needed, yes))
