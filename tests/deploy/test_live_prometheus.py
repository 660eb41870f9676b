"""Prometheus scrapes a gateway under load with faults: every query of every panel has data, and the alerts notice."""

import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from scripts.dashboards.__main__ import FOLDER
from tests.deploy.faulty_service import faulty_service
from tests.deploy.prometheus_rules import alerts, records
from tests.deploy.running_prometheus import Prometheus, Series, running_prometheus
from tests.gateway.waiting import wait_until

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (apt-get install prometheus)"
)

PATIENCE = 40.0
PLACE = {"cluster": ".*", "namespace": ".*"}
"""The choice of all: nothing that is scraped here has these labels, as with docker compose."""
EVERYWHERE: Mapping[str, str] = {}
PROVOKED = {
    "GraftAvailabilityBurn",
    "GraftLatencyBurn",
    "GraftShedding",
    "GraftCircuitOpen",
    "GraftVersionSwapStuck",
    "GraftDrift",
}


@dataclass(frozen=True)
class PanelQuery:
    """One query of a panel, with its variables filled in, and the labels that its legend shows."""

    panel: str
    expression: str
    shown: frozenset[str]

    def __str__(self) -> str:
        return f"{self.panel}: {self.expression}"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, watching a gateway whose faults are those of `faulty_service`, and a model server's metrics."""
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        faulty_service(folder) as service,
        running_prometheus(folder, service.key, gateway=service.gateway, model_server=service.model_server) as running,
    ):
        yield running


def test_targets_are_up_and_rules_can_be_computed(prometheus: Prometheus) -> None:
    """Both jobs are scraped with the paths and the key of the configuration, and no rule fails."""
    wait_until(lambda: len(prometheus.query("up == 1")) == 2, PATIENCE)
    assert {series.labels["job"] for series in prometheus.query("up == 1")} == {"gateway", "model-server"}
    wait_until(lambda: {rule["health"] for rule in rules(prometheus)} == {"ok"}, PATIENCE)
    assert len(rules(prometheus)) == len(records()) + len(alerts())


def test_every_query_of_every_panel_returns_data(prometheus: Prometheus) -> None:
    """With the variables filled in as Grafana does, each query gives a number, and each label of a legend is there."""
    queries: list[PanelQuery] = []
    missing: list[str] = []

    def all_have_data() -> bool:
        queries[:] = queries_of_panels(prometheus)
        missing[:] = [str(query) for query in queries if not has_data(prometheus, query)]
        return not missing

    try:
        wait_until(all_have_data, PATIENCE)
    except AssertionError:
        pytest.fail("no data: " + "\n".join(missing))
    assert len(queries) > 70


def test_every_query_is_of_the_chosen_namespace(prometheus: Prometheus) -> None:
    """With a namespace or a cluster that does not exist, no query gives anything, or nothing but zero."""
    wait_until(lambda: len(prometheus.query("up == 1")) == 2, PATIENCE)
    for place in ({"namespace": "elsewhere"}, {"cluster": "elsewhere"}):
        found = {
            str(query): series
            for query in queries_of_panels(prometheus, place)
            if (series := [each for each in prometheus.query(query.expression) if each.value])
        }
        assert found == {}


def test_the_availability_alert_notices(prometheus: Prometheus) -> None:
    """All four pairs of windows of the availability alert are pending or firing, though the data is seconds old."""
    wait_until(lambda: len(active(prometheus, "GraftAvailabilityBurn")) == 4, PATIENCE)
    found = active(prometheus, "GraftAvailabilityBurn")
    assert {series.labels["alertstate"] for series in found} <= {"pending", "firing"}
    assert {series.labels["long_window"] for series in found} == {"1h", "6h", "1d", "3d"}


def test_each_fault_has_its_alert(prometheus: Prometheus) -> None:
    """The other faults are noticed too, and nothing else is: no alert is raised for what works."""
    wait_until(lambda: {series.labels["alertname"] for series in active(prometheus)} == PROVOKED, PATIENCE)
    assert {series.labels["model"] for series in active(prometheus, "GraftCircuitOpen")} == {"trees"}
    assert {series.labels["model"] for series in active(prometheus, "GraftVersionSwapStuck")} == {"flowers"}
    assert "brightness" in {series.labels["feature"] for series in active(prometheus, "GraftDrift")}


def active(prometheus: Prometheus, name: str = "Graft.*") -> list[Series]:
    """Return the alerts that are pending or firing."""
    return prometheus.query(f'ALERTS{{alertname=~"{name}"}}')


def rules(prometheus: Prometheus) -> list[dict[str, str]]:
    return [rule for group in prometheus.send("rules")["groups"] for rule in group["rules"]]


def has_data(prometheus: Prometheus, query: PanelQuery) -> bool:
    found = [series for series in prometheus.query(query.expression) if math.isfinite(series.value)]
    return bool(found) and all(any(series.labels.get(label) for series in found) for label in query.shown)


def queries_of_panels(prometheus: Prometheus, place: Mapping[str, str] = EVERYWHERE) -> list[PanelQuery]:
    """Return every query of every dashboard; a variable without values leaves its name in them, so they fail."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text())
        variables = {each["name"]: each for each in content["templating"]["list"] if each["type"] == "query"}
        values = {name: value_of(prometheus, variable) for name, variable in variables.items() if name not in PLACE}
        values |= {"__rate_interval": "20s", "__range": "1m", **PLACE, **place}
        for panel in content["panels"]:
            for target in panel.get("targets", []):
                shown = frozenset(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                found.append(PanelQuery(f"{path.stem}, {panel['title']}", _filled(target["expr"], values), shown))
    return found


def value_of(prometheus: Prometheus, variable: dict[str, str]) -> str:
    """Return what a variable stands for at first: everything where that is a choice, else its first value."""
    query = _filled(variable["query"], PLACE)
    match, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
    values = prometheus.label_values(label, match)
    return variable.get("allValue", values[0]) if values else f"${variable['name']}"


def _filled(expression: str, values: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda name: values[name[1]], expression)
