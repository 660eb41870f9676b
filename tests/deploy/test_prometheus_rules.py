"""Rules and alerts: what promtool says of them, what each alert has to have, and what the objectives are made of."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.app import create_app
from gateway.http.error_table import TABLE, failure_codes
from gateway.observability.observers import route_label
from gateway.settings import Settings
from scripts.dashboards.__main__ import BOARDS
from scripts.dashboards.description import Row
from tests.deploy.exported_metrics import exported
from tests.deploy.prometheus_rules import (
    CONFIGURATION,
    RULE_FILES,
    UNIT_TESTS,
    Alert,
    alerts,
    expectations,
    records,
)
from tests.places import ROOT

NOT_OUR_FAULT = {"unsupported", "model_not_described", "not_ready"}
"""Status 5xx, but not a failure: a request for something that does not exist, or the response to a probe."""

WORKBOOK = {("1h", "5m"): ("14.4", "page"), ("6h", "30m"): ("6", "page"), ("1d", "2h"): ("3", "ticket")} | {
    ("3d", "6h"): ("1", "ticket")
}
"""Windows, factors and severities of The Site Reliability Workbook, chapter 5."""

NO_REQUESTS = {
    "/",
    "/page/{file}",
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
    "/docs/assets",
    "/openapi.json",
    "/v1/models",
    "/v1/models/{model}/card",
    "/v1/models/{model}/drift",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{model}",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/versions/{version}",
    "/v2/models/{model}/versions/{version}/ready",
}
"""Probes, pages and lists, which the objectives leave out."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)"
)
each_alert = pytest.mark.parametrize("alert", alerts(), ids=str)


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return what it says, and fail if it is not content."""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_the_configuration_is_valid(tmp_path: Path) -> None:
    """Promtool accepts prometheus.yml together with the rules that it names, once the key's file is there."""
    key = tmp_path / "key"
    key.write_text("a key")
    text = CONFIGURATION.read_text().replace("/run/secrets/prometheus-key", str(key))
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "rules").symlink_to(RULE_FILES[0].parent)
    said = promtool("check", "config", tmp_path / "prometheus.yml")
    assert said.count("rules found") == len(RULE_FILES)


@needs_promtool
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(path: Path) -> None:
    """Promtool's unit tests of the rules pass, annotations included."""
    assert "SUCCESS" in promtool("test", "rules", path)


@each_alert
def test_each_alert_is_tested_both_ways(alert: Alert) -> None:
    """For every alerting rule some unit test has it fire, and another one has it silent."""
    fires = [any(alert.labels.items() <= fired.items() for fired in found) for found in expectations(alert.name)]
    assert True in fires
    assert False in fires


@each_alert
def test_each_alert_says_what_to_do(alert: Alert) -> None:
    """Every alert has a severity, a summary, a description, a section in the runbook and a dashboard that exists."""
    assert alert.labels["severity"] in {"page", "ticket"}
    assert alert.annotations["summary"].endswith(".")
    assert alert.annotations["description"].endswith(".")
    path, _, section = alert.annotations["runbook_url"].partition("#")
    assert section == alert.name.lower()
    assert section in _sections(ROOT / path)
    board = alert.annotations["dashboard"].removeprefix("/d/")
    assert (ROOT / "deploy" / "grafana" / "dashboards" / f"{board}.json").is_file()


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_each_alert_says_why_its_threshold(path: Path) -> None:
    """After the name of every alert a comment gives the reason for its threshold."""
    lines = path.read_text().splitlines()
    beginnings = [at for at, line in enumerate(lines) if line.strip().startswith("- alert:")]
    assert beginnings
    assert [lines[at] for at in beginnings if not lines[at + 1].strip().startswith("# ")] == []


def test_the_runbook_has_no_section_without_an_alert() -> None:
    """Every section of the runbook is about an alert that exists, and says what it is, where to look and what to do."""
    text = (ROOT / "docs" / "runbook.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert {section.split("\n")[0] for section in sections} == {alert.name for alert in alerts()}
    parts = ("Means.", "Callers see", "First look.", "Likely causes", "Do.", "Over when")
    for section in sections:
        assert [part for part in parts if f"**{part}" not in section] == [], section.split("\n")[0]


def test_the_runbook_names_what_exists() -> None:
    """Every panel and dashboard in italics exists, and so does every series."""
    text = (ROOT / "docs" / "runbook.md").read_text()
    titles = {"Targets", *(board.title for board in BOARDS)}
    titles |= {title for board in BOARDS for row in board.rows for title in (row.title, *_titles(row))}
    named = {re.sub(r"\s+", " ", found) for found in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)}
    assert named - titles == set()
    assert set(re.findall(r"graft[_:][\w:]+", text)) - exported().keys() == set()


def _titles(row: Row) -> list[str]:
    return [panel.title for panel in row.panels]


def test_failures_are_the_errors_that_are_our_fault() -> None:
    """The outcomes that count as failed are the codes of status 5xx, but for those that are no fault of ours."""
    codes = {row.code for row in TABLE.values()}
    assert {row.code for row in TABLE.values() if row.status >= 500} - set(failure_codes()) == NOT_OUR_FAULT
    (pattern,) = set(re.findall(r'outcome=~"([^"]+)"', records()["graft:requests_failed:rate5m"]))
    failures = {code for code in codes if re.fullmatch(pattern, code)}
    assert failures == set(failure_codes())


def test_predictions_are_the_routes_that_predict() -> None:
    """Every route of the gateway either counts for the objectives or is one of those that are left out."""
    patterns = {found for text in records().values() for found in re.findall(r'route=~"([^"]+)"', text)}
    (pattern,) = patterns | {found for alert in alerts() for found in re.findall(r'route=~"([^"]+)"', alert.expression)}
    app = create_app(Settings(models=("flowers",)))
    routes = {route_label(route) for route in app.router.routes}
    requests = {route for route in routes if re.fullmatch(pattern, route)}
    assert routes - requests == NO_REQUESTS
    assert len(requests) == 5


@pytest.mark.parametrize(("name", "budget"), [("GraftAvailabilityBurn", "0.005"), ("GraftLatencyBurn", "0.01")])
def test_burn_rates_are_the_workbooks(name: str, budget: str) -> None:
    """Each objective has the four pairs of windows, with their factor and severity, and both windows are looked at."""
    found = [alert for alert in alerts() if alert.name == name]
    assert {(alert.labels["long_window"], alert.labels["short_window"]) for alert in found} == set(WORKBOOK)
    for alert in found:
        windows = alert.labels["long_window"], alert.labels["short_window"]
        factor, severity = WORKBOOK[windows]
        assert alert.labels["severity"] == severity
        assert re.findall(r"ratio_rate(\w+) > ([\d.]+) \* ([\d.]+)", alert.expression) == [
            (window, factor, budget) for window in windows
        ]


def test_what_is_scraped() -> None:
    """Prometheus asks every gateway and every model server behind their names, at the paths where their metrics are."""
    jobs = {job["job_name"]: job for job in yaml.safe_load(CONFIGURATION.read_text())["scrape_configs"]}
    where = {
        name: (job["dns_sd_configs"][0]["names"], job["dns_sd_configs"][0]["port"], job.get("metrics_path", "/metrics"))
        for name, job in jobs.items()
    }
    assert where == {
        "gateway": (["gateway"], 8000, "/metrics"),
        "probe": (["probe"], 9105, "/metrics"),
        "model-server": (["model-server"], 8501, "/monitoring/prometheus/metrics"),
    }


def _sections(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them from headings of one word."""
    return {heading.lower() for heading in re.findall(r"^## (\w+)$", path.read_text(), re.MULTILINE)}
