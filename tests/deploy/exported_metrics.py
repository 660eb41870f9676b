"""Which metrics there are, by the documents that other tests compare with the code, and which a query asks for."""

import re
from functools import cache

from tests.deploy.prometheus_rules import records
from tests.places import ROOT

_DOCS = ROOT / "docs"
_ROW = re.compile(r"^\| `([\w:]+)` \| (.*)\|$", re.MULTILINE)
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}
_OF_THE_TARGET = frozenset({"cluster", "namespace", "job", "instance"})

_OF_RECORDS = frozenset({"cluster", "namespace"})

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)(?![\w:])(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}


@cache
def exported() -> dict[str, frozenset[str]]:
    """Return the labels of every series by its name: both servers', the rules', Prometheus's and Kubernetes's."""
    found = dict.fromkeys(("up",), _OF_THE_TARGET)
    found["ALERTS"] = frozenset({"alertname", "alertstate"}) | _OF_RECORDS
    found["kube_deployment_spec_replicas"] = _OF_THE_TARGET | {"deployment"}
    found.update({name: _OF_RECORDS | _groups_of(expression) for name, expression in records().items()})
    for name, rest in _ROW.findall("".join((_DOCS / page).read_text() for page in ("metrics.md", "probe.md"))):
        kind, _, labels = (cell.strip() for cell in rest.split("|")[:3])
        found.update(_series(name, kind, frozenset(re.findall(r"`(\w+)`", labels))))
    for name, rest in _ROW.findall((_DOCS / "modelserver.md").read_text()):
        labels, meaning = rest.split("|")[:2]
        kind = "histogram" if "histogram" in meaning else "counter"
        found.update(_series(name, kind, frozenset(re.findall(r"\w+", labels))))
    return found


def _series(name: str, kind: str, labels: frozenset[str]) -> dict[str, frozenset[str]]:
    every = labels | _OF_THE_TARGET
    if kind not in _PARTS:
        return {name: every}
    return {f"{name}{part}": every | {"le"} if part == "_bucket" else every for part in _PARTS[kind]}


def _groups_of(expression: str) -> frozenset[str]:
    bare = _STRING.sub('""', expression)
    return frozenset(name for inside in _GROUPING.findall(bare) for name in re.findall(r"\w+", inside))


def names_in(query: str) -> set[str]:
    """Return the names of the series that a query asks for."""
    bare = _RANGE.sub("", _GROUPING.sub("", _MATCHERS.sub("", _STRING.sub('""', query))))
    return {name for name in _NAME.findall(bare) if name not in _WORDS}


def labels_in(query: str) -> set[str]:
    """Return the labels that a query matches or groups by."""
    bare = _STRING.sub('""', query)
    matched = {name for inside in _MATCHERS.findall(bare) for name in re.findall(r"(\w+)\s*[=!]", inside)}
    return matched | {name for inside in _GROUPING.findall(bare) for name in re.findall(r"\w+", inside)}


def edges_in(query: str) -> set[tuple[str, float]]:
    """Return the buckets that a query picks: the name of the series, and the edge."""
    bare = _STRING.sub(lambda found: re.sub("[{}]", "", found[0]), query)
    return {(name, float(edge)) for name, edge in re.findall(r'([\w:]+)\{[^}]*\ble="([\d.]+)"', bare)}
