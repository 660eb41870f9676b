"""A clock that runs faster: the rules' durations divided by a factor, everything else as it is.

In PromQL a number with a unit, outside of strings and names, can only be a duration: in brackets, after `offset`, or in
a subquery. Numbers without a unit are times only where a rule converts with them, and these are listed here: what is
in neither list is refused, so that a new rule is looked at before it is played.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000} | {
    "y": 31_536_000_000
}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_TOKEN = re.compile(
    r"""
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    | (?P<comment>\#[^\n]*)
    | (?P<name>(?:[A-Za-z_]|:(?=[A-Za-z_:]))[\w:]*)
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?!\w))
    | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<space>\s+)
    | (?P<operator>[<>=!]=|[=!]~|.)
    """,
    re.VERBOSE | re.DOTALL,
)

TIMES = {("*", "60"), ("*", "300"), (">", "1800")}
"""Numbers that are seconds of a window, each after what stands before it: a minute's and five minutes' rates become
counts, and a probe that has said nothing for half an hour."""

NO_TIMES = {
    *(("*", share) for share in ("0.005", "0.01")),
    *((">", factor) for factor in ("14.4", "6", "3", "1", "0", "0.01")),
    *((">=", events) for events in ("10", "5", "3")),
    *(("==", state) for state in ("0", "1")),
    ("or", "0"),
    *(("<", days) for days in ("14", "2")),
    (">=", "2"),
    ("*", "86400"),
}
"""Numbers that stay: shares, factors, counts of events, states, and days until a real certificate's end."""

_GROUP_KEYS = {"name", "rules", "interval"}
_RULE_KEYS = {"record", "alert", "expr", "for", "labels", "annotations"}


class ClockError(ValueError):
    """A rule has something of which it is not known whether it is a time; the message says what and where."""


def milliseconds(duration: str) -> int:
    """Return how long a duration of Prometheus, such as `1h30m`, is.

    Raises:
        ClockError: it is none.
    """
    if not _DURATION.fullmatch(duration):
        raise ClockError(f"{duration!r} is not a duration of Prometheus, such as 5m or 1h30m.")
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(duration))


def seconds(duration: str) -> float:
    """Return the seconds of a duration."""
    return milliseconds(duration) / 1000


def shortened(duration: str, factor: float) -> str:
    """Return a duration divided by `factor`, to the millisecond, at least one."""
    return _written(max(round(milliseconds(duration) / factor), 1))


def shortened_expression(expression: str, factor: float) -> str:
    """Return an expression of PromQL with every time in it divided by `factor`.

    Raises:
        ClockError: it has a number that is in neither list.
    """
    pieces, before = [], ""
    for kind, text in _tokens(expression):
        pieces.append(_shortened_token(kind, text, before, factor))
        if kind not in {"space", "comment"}:
            before = text
    return "".join(pieces)


def shortened_rules(content: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return the content of a file of rules with every time in it divided by `factor`.

    Raises:
        ClockError: a rule has a number, or a group or rule a key, that is not known.
    """
    made = copy.deepcopy(content)
    for group in made["groups"]:
        _refuse_unknown(group, _GROUP_KEYS)
        if "interval" in group:
            group["interval"] = shortened(group["interval"], factor)
        for rule in group["rules"]:
            _refuse_unknown(rule, _RULE_KEYS)
            rule["expr"] = shortened_expression(rule["expr"], factor)
            if "for" in rule:
                rule["for"] = shortened(rule["for"], factor)
    return made


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(expression):
        yield str(match.lastgroup), match.group()


def _shortened_token(kind: str, text: str, before: str, factor: float) -> str:
    if kind == "duration":
        return shortened(text, factor)
    if kind != "number" or (before, text) in NO_TIMES:
        return text
    if (before, text) in TIMES:
        return f"{float(text) / factor:g}"
    raise ClockError(
        f"A rule has the number {text} after {before or 'nothing'}; "
        "say in benchmarks/outages/clock.py whether it is a time."
    )


def _refuse_unknown(found: dict[str, Any], known: set[str]) -> None:
    name = found.get("alert") or found.get("record") or found.get("name")
    if unknown := found.keys() - known:
        raise ClockError(
            f"{name} has {', '.join(sorted(unknown))}; say in benchmarks/outages/clock.py whether it is a time."
        )


def _written(length: int) -> str:
    return f"{length}ms" if length % 1000 else f"{length // 1000}s"
