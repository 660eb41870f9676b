"""The verb `runs list`: what has been trained, as a table or as JSON."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from graft.tables import NOT_KNOWN, plain_table, print_line, wide_console
from trainer.errors import RunNotFoundError
from trainer.progress import PhaseName
from trainer.runs.phase_timing import PHASE_TITLES
from trainer.runs.record import list_runs as finished_runs
from trainer.runs.record import read_record, unfinished_runs
from trainer.runs.tags import tags_of

_COLUMNS = ("id", "name", "ended", "architecture", "test accuracy", "95 % interval", "kept", "tags")


@dataclass(frozen=True)
class RunSummary:
    """A run in the list; what is not known of it is None. The fields are those of `graft runs list --json`."""

    id: str
    folder: str
    state: Literal["finished", "unfinished", "unreadable"]
    name: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    architecture: str | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    test_images: int | None = None
    kept: PhaseName | None = None
    tags: tuple[str, ...] = ()


def list_runs(runs: Path, console: Console | None = None, *, as_json: bool = False) -> None:
    """Print the runs under `runs`, by id; those that are not finished or cannot be read say so."""
    found = summaries_of(runs)
    if as_json:
        sys.stdout.write(json.dumps([asdict(each) for each in found], indent=2, default=_as_text) + "\n")
        return
    console = console or wide_console()
    if not found:
        print_line(console, f"There are no runs under {runs}; graft train makes one.")
        return
    console.print(plain_table(_COLUMNS, (_cells(each) for each in found)))


def summaries_of(runs: Path) -> list[RunSummary]:
    """Return all runs under `runs`, by id."""
    finished, unfinished = finished_runs(runs), unfinished_runs(runs)
    return [_finished(each) if each in finished else _unfinished(each) for each in sorted([*finished, *unfinished])]


def share(value: float | None) -> str:
    """Return a share in percent."""
    return NOT_KNOWN if value is None else f"{100 * value:.1f} %"


def interval(metrics: Mapping[str, Any]) -> str:
    """Return the interval of an accuracy in percent."""
    low, high = metrics.get("accuracy_interval") or (None, None)
    return f"{share(low)} to {share(high)}"


def _finished(folder: Path) -> RunSummary:
    try:
        record = read_record(folder)
    except RunNotFoundError:
        return RunSummary(folder.name, str(folder), "unreadable", tags=tags_of(folder))
    test = record.judged if record.judged_on == "test" else {}
    return RunSummary(
        id=record.id,
        folder=str(folder),
        state="finished",
        name=record.name,
        started=record.started,
        ended=record.ended,
        architecture=record.architecture,
        accuracy=test.get("accuracy"),
        accuracy_interval=test.get("accuracy_interval"),
        test_images=test.get("images"),
        kept=record.kept_phase,
        tags=tags_of(folder),
    )


def _unfinished(folder: Path) -> RunSummary:
    return RunSummary(folder.name, str(folder), "unfinished", tags=tags_of(folder))


def _cells(run: RunSummary) -> tuple[str, ...]:
    tags = ", ".join(run.tags)
    if run.state == "unreadable":
        return run.id, "cannot be read", "", "", "", "", "", tags
    if run.state == "unfinished":
        return run.id, "", "not finished", f"graft train --resume {run.id}", "", "", "", tags
    has_test = run.accuracy is not None
    return (
        run.id,
        run.name or NOT_KNOWN,
        f"{run.ended:%Y-%m-%d %H:%M}" if run.ended else NOT_KNOWN,
        run.architecture or NOT_KNOWN,
        share(run.accuracy) if has_test else "no test split",
        interval({"accuracy_interval": run.accuracy_interval}) if has_test else "",
        PHASE_TITLES[run.kept] if run.kept else NOT_KNOWN,
        tags,
    )


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
