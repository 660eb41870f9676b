"""Interrupted runs, found by what people call them."""

from pathlib import Path

from trainer.errors import RunNotFoundError
from trainer.runs.record import CHECKPOINT, LATEST, RECORD, list_runs, unfinished_runs
from trainer.runs.tags import tagged


def find_unfinished(name: str, runs: Path) -> Path:
    """Find an interrupted run by its folder, its id under `runs` or what that alone begins with, a tag, or `latest`.

    Raises:
        RunNotFoundError: there is none, it is finished, or several begin like this.
    """
    known = unfinished_runs(runs)
    if name == LATEST and known:
        return max(known, key=lambda path: (path / CHECKPOINT).stat().st_mtime)
    for path in (Path(name), runs / name):
        if (path / RECORD).is_file():
            raise RunNotFoundError(f"The run {path} is finished; there is nothing to resume.")
        if (path / CHECKPOINT).is_dir():
            return path
    if found := tagged(name, [*known, *list_runs(runs)]):
        return find_unfinished(str(found), runs)
    beginning = [path for path in known if name and path.name.startswith(name)]
    if len(beginning) == 1:
        return beginning[0]
    there = f"interrupted runs: {', '.join(path.name for path in known[-5:])}" if known else "there are none"
    raise RunNotFoundError(f"There is no interrupted run {name!r} under {runs} to resume; {there}.")
