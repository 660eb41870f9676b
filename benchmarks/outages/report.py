"""The table of outages, for a terminal and for docs/runbook.md."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.outages.clock import seconds
from benchmarks.outages.judging import faults, first, over_after, spoken, unscaled
from benchmarks.outages.scenario import Expected, Played, Scenario
from graft.tables import plain_table
from graft.traffic.connection import LOST
from tests.places import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"
BEGIN, END = "<!-- outages -->\n", "<!-- /outages -->\n"
COLUMNS = (
    "outage",
    "fires",
    "severity",
    "after",
    "promised",
    "callers saw",
    "over after",
    "also fired",
    "holds",
)
_NOTHING = "nothing"
_ONE_PERCENT = 0.01


class PageError(Exception):
    """The table has no place on a page; the message says what is missing."""


@dataclass(frozen=True)
class Result:
    """A scenario that was played, and with which factor; `problem` is why it could not be."""

    scenario: Scenario
    played: Played | None
    factor: float
    problem: str = ""

    @property
    def faults(self) -> list[str]:
        """What does not hold, each in a sentence."""
        if self.played is None:
            return [self.problem]
        return faults(self.scenario, self.played, self.factor)


def rows(results: Sequence[Result]) -> list[list[list[str]]]:
    """Return a row of cells for each scenario, each cell with its lines."""
    return [_row(each) for each in results]


def outages_table(results: Sequence[Result]) -> Table:
    """Return the table for a terminal."""
    return plain_table(COLUMNS, rows(results))


def markdown(results: Sequence[Result]) -> str:
    """Return the table in Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows(results)]
    return "\n".join(lines) + "\n"


def with_table(text: str, table: str) -> str:
    """Return a page with the table between its markers.

    Raises:
        PageError: it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError(f"The page has no lines {BEGIN.strip()} and {END.strip()}, between which the table belongs.")
    return f"{before}{begin}{table}{end}{after}"


def write_into_runbook(results: Sequence[Result], page: Path = RUNBOOK) -> None:
    """Write the table into the runbook.

    Raises:
        PageError: it has no markers.
    """
    page.write_text(with_table(page.read_text(encoding="utf-8"), markdown(results)), encoding="utf-8")


def _row(result: Result) -> list[list[str]]:
    scenario, played = result.scenario, result.played
    must = scenario.must
    after = [_after(result, each) for each in must]
    return [
        [scenario.what],
        [each.alert for each in must] or [_NOTHING],
        [each.severity for each in must],
        after,
        [spoken(seconds(each.within)) for each in must],
        [] if played is None else [_seen_by_callers(played.statuses)],
        [] if played is None else [_over(result)],
        [] if played is None else _others(result),
        ["no" if result.faults else "yes"],
    ]


def _after(result: Result, expected: Expected) -> str:
    fired = None if result.played is None else first(result.played, expected.kind)
    return "-" if fired is None else spoken(unscaled(expected, fired.at, result.factor))


def _over(result: Result) -> str:
    assert result.played is not None
    took = over_after(result.played, [each.kind for each in result.scenario.must], result.factor)
    return "-" if took is None else spoken(took)


def _others(result: Result) -> list[str]:
    assert result.played is not None
    must = {each.kind for each in result.scenario.must}
    found = {each.kind for each in result.played.fired if each.kind not in must}
    why = {each.kind: each.why for each in result.scenario.may}
    return [f"{name} ({severity}): {why.get((name, severity), 'not expected')}" for name, severity in sorted(found)]


def _seen_by_callers(statuses: Counter[int]) -> str:
    total = statuses.total()
    names = {200: "200", LOST: "no connection"}
    seen = statuses.most_common()
    return ", ".join(f"{names.get(status, str(status))}: {_share(count / total)}" for status, count in seen if count)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= _ONE_PERCENT else "under 1%"


def _cell(lines: Sequence[str]) -> str:
    return "<br>".join(line.replace("|", "\\|") for line in lines)
