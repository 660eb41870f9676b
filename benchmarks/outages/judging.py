"""Whether what fired is what has to fire: in time, with its text, and nothing else."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.outages.clock import seconds
from benchmarks.outages.scenario import NUMBER, Expected, Fired, NamedAlert, Played, Scenario
from tests.places import ROOT

ENDS_WITHIN = "45m"
"""How long after a repair an alert may stay: the page with windows of 6 h and 30 m stays for half an hour."""

_NOT_EXPANDED = re.compile(r"<error expanding|<no value>|\{\{|\}\}|\bNaN\b|%!")
_TEXTS = ("summary", "description")


def faults(scenario: Scenario, played: Played, factor: float) -> list[str]:
    """Return a sentence for each thing that does not hold of a scenario."""
    named: tuple[NamedAlert, ...] = (*scenario.must, *scenario.may)
    known = {each.kind for each in named}
    return [
        *(f"A rule cannot be computed: {each}." for each in played.rule_errors),
        *(fault for each in scenario.must for fault in _missing(each, played, factor)),
        *(_surprise(each) for each in played.fired if each.before or each.kind not in known),
        *(fault for each in scenario.must for fault in _not_named(each, played)),
        *(fault for each in played.fired for fault in _text_faults(each)),
        *_not_over(scenario, played, factor),
    ]


def first(played: Played, kind: tuple[str, str]) -> Fired | None:
    """Return the first alert of a kind that fired."""
    return min((each for each in played.fired if each.kind == kind), key=lambda each: each.at, default=None)


def unscaled(expected: Expected, measured: float, factor: float) -> float:
    """Return how long what was measured takes on the rules' own clock; the service's own seconds count once."""
    own = min(expected.own_seconds, max(measured, 0.0))
    return own + max(measured - own, 0.0) * factor


def _missing(expected: Expected, played: Played, factor: float) -> Iterator[str]:
    name = f"{expected.alert} ({expected.severity})"
    fired = first(played, expected.kind)
    if fired is None:
        yield f"{name} did not fire."
    elif (took := unscaled(expected, fired.at, factor)) > (promised := seconds(expected.within)):
        yield f"{name} fired after {spoken(took)}, later than {spoken(promised)}."


def _surprise(fired: Fired) -> str:
    when = "before anything was broken" if fired.before else "as well"
    summary = fired.annotations.get("summary", "it has no summary")
    return f"{fired.alert} ({fired.severity}) fired {when}: {summary}"


def _text_faults(fired: Fired) -> Iterator[str]:
    text = _text(fired)
    for name in _TEXTS:
        if not fired.annotations.get(name, "").strip():
            yield f"{fired.alert} has no {name}."
    if found := _NOT_EXPANDED.search(text):
        yield f"{fired.alert} says {found[0]}: {text}"
    yield from _link_faults(fired)


def _text(fired: Fired) -> str:
    return " ".join(fired.annotations.get(name, "") for name in _TEXTS)


def _not_named(expected: Expected, played: Played) -> Iterator[str]:
    """Yield what none of the alerts of a kind names; there may be one for each instance."""
    text = " ".join(_text(each) for each in played.fired if each.kind == expected.kind)
    silent = [name for name in expected.names if not _names(text, name, played)]
    if text and silent:
        yield f"{expected.alert} does not name {' and '.join(silent)}: {text}"


def _names(text: str, name: str, played: Played) -> bool:
    return bool(re.search(r"\d", text)) if name == NUMBER else played.facts[name] in text


def _link_faults(fired: Fired) -> Iterator[str]:
    path, _, anchor = fired.annotations.get("runbook_url", "").partition("#")
    page = ROOT / path
    if not page.is_file() or anchor not in _anchors(page):
        yield f"{fired.alert} leads to {path}#{anchor}, which is not there."
    board = fired.annotations.get("dashboard", "").removeprefix("/d/")
    if board not in _boards():
        yield f"{fired.alert} leads to the dashboard {board or 'without a name'}, which is not there."


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def _boards() -> set[str]:
    folder = ROOT / "deploy" / "grafana" / "dashboards"
    return {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in folder.glob("*.json")}


def _not_over(scenario: Scenario, played: Played, factor: float) -> Iterator[str]:
    staying = {each.kind for each in scenario.may if each.stays}
    limit = seconds(ENDS_WITHIN)
    for each in played.fired:
        if each.before or each.kind in staying:
            continue
        ended = math.inf if each.ended is None else (each.ended - played.repaired) * factor
        if ended > limit:
            how = "had not ended" if each.ended is None else f"ended {spoken(ended)} later, not"
            yield f"{each.alert} ({each.severity}) {how} within {spoken(limit)} of the repair."


def over_after(played: Played, kinds: Sequence[tuple[str, str]], factor: float) -> float | None:
    """Return how long after the repair the last alert of these kinds was over, unscaled; None if one is not."""
    ends = [each.ended for each in played.fired if each.kind in kinds]
    if not ends or None in ends:
        return None
    return max(0.0, max(end for end in ends if end is not None) - played.repaired) * factor


def spoken(length: float) -> str:
    """Return seconds as people say them: 45 s, 3 m, 1 m 30 s."""
    whole = round(length)
    minutes, rest = divmod(whole, 60)
    if minutes and rest:
        return f"{minutes} m {rest} s"
    return f"{minutes} m" if minutes else f"{rest} s"
