"""The faster clock: which numbers of a rule are times, and that every rule of the project can be read so."""

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.outages.clock import (
    NO_TIMES,
    TIMES,
    ClockError,
    seconds,
    shortened,
    shortened_expression,
    shortened_rules,
)
from benchmarks.outages.prometheus import RULE_FILES, write_rules
from tests.deploy.prometheus_rules import alerts, records


@pytest.mark.parametrize(
    ("duration", "shorter"),
    [("1m", "2s"), ("5m", "10s"), ("1h30m", "180s"), ("1w", "20160s"), ("15s", "500ms"), ("1ms", "1ms")],
)
def test_a_duration_is_divided(duration: str, shorter: str) -> None:
    """To the millisecond, and never to nothing."""
    assert shortened(duration, 30) == shorter


def test_what_is_no_duration_is_refused() -> None:
    """A duration is a number with a unit of Prometheus."""
    with pytest.raises(ClockError, match="'5 minutes' is not a duration"):
        seconds("5 minutes")


@pytest.mark.parametrize(
    ("expression", "shorter"),
    [
        ("rate(a{b=\"5m\",c=~'[1h]'}[5m]) > 0", "rate(a{b=\"5m\",c=~'[1h]'}[10s]) > 0"),
        ("max_over_time(graft:rate5m[1h:1m])", "max_over_time(graft:rate5m[120s:2s])"),
        ("a:rate5m[6h:]", "a:rate5m[720s:]"),
        ("a offset 1w", "a offset 20160s"),
        ("a offset -1d", "a offset -2880s"),
        ("sum_over_time(a[1h:1m]) * 60 >= 10", "sum_over_time(a[120s:2s]) * 2 >= 10"),
        ("a - time() < 14 * 86400", "a - time() < 14 * 86400"),
        ("a > 0.01 # for 5m and 1800", "a > 0.01 # for 5m and 1800"),
        ("time() - a > 1800", "time() - a > 60"),
    ],
)
def test_only_times_are_divided(expression: str, shorter: str) -> None:
    """Windows, steps, offsets and the listed seconds; not names, texts, comments, shares or counts."""
    assert shortened_expression(expression, 30) == shorter


def test_a_new_number_is_refused() -> None:
    """Of a number that is in no list nobody has said whether it is a time."""
    with pytest.raises(ClockError, match="the number 900 after >; say in"):
        shortened_expression("time() - a > 900", 30)


@pytest.mark.parametrize("place", ["group", "rule"])
def test_a_new_key_is_refused(place: str) -> None:
    """As `keep_firing_for`, which newer versions of Prometheus have, and which is a duration."""
    rule = {"alert": "A", "expr": "up == 0", "for": "1m"}
    group: dict[str, Any] = {"name": "g", "rules": [rule]}
    {"group": group, "rule": rule}[place]["keep_firing_for"] = "5m"
    with pytest.raises(ClockError, match=r"keep_firing_for; say in"):
        shortened_rules({"groups": [group]}, 30)


def test_the_interval_of_a_group_is_divided() -> None:
    """And the file itself stays as it is."""
    content = {"groups": [{"name": "g", "interval": "1m", "rules": [{"record": "a:b", "expr": "up"}]}]}
    assert shortened_rules(content, 60)["groups"][0]["interval"] == "1s"
    assert content["groups"][0]["interval"] == "1m"


def test_every_rule_can_be_shortened(tmp_path: Path) -> None:
    """No rule has a number that is in no list, each listed one is in some rule, and promtool accepts the result."""
    files = write_rules(tmp_path, 30)
    assert len(files) == len(RULE_FILES)
    found: set[tuple[str, str]] = set()
    for expression in [alert.expression for alert in alerts()] + list(records().values()):
        found |= {pair for pair in TIMES | NO_TIMES if _has(expression, pair)}
    assert found == TIMES | NO_TIMES
    texts = [path.read_text() for path in files]
    waits = {
        rule["for"]
        for text in texts
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "for" in rule
    }
    assert waits == {"2s", "4s", "6s", "10s", "20s", "30s", "60s"}
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "rules", *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _has(expression: str, pair: tuple[str, str]) -> bool:
    words = expression.replace("(", " ( ").replace(")", " ) ").split()
    return pair in itertools.pairwise(words)
