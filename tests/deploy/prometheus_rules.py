"""The rules in the tree, and their unit tests, as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tests.places import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
CONFIGURATION = PROMETHEUS / "prometheus.yml"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
UNIT_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))


@dataclass(frozen=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]

    def __str__(self) -> str:
        window = self.labels.get("long_window")
        return f"{self.name}, {window}" if window else self.name


def _rules() -> Iterator[dict[str, Any]]:
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


@cache
def alerts() -> tuple[Alert, ...]:
    """Return every alerting rule; several may share a name."""
    return tuple(
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"]) for rule in _rules() if "alert" in rule
    )


@cache
def records() -> dict[str, str]:
    """Return the expression of every recording rule by its name."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def expectations(alert: str) -> list[list[dict[str, str]]]:
    """Return what each unit test expects of the alerts with a name: the labels of those that fire."""
    checks = [check for test in _unit_tests() for check in test["alert_rule_test"] if check["alertname"] == alert]
    return [[each["exp_labels"] for each in check["exp_alerts"]] for check in checks]


@cache
def _unit_tests() -> tuple[Any, ...]:
    return tuple(test for path in UNIT_TESTS for test in yaml.safe_load(path.read_text())["tests"])
