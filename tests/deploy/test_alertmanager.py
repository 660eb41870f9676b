"""Whom alerts reach, and which are muted: as Alertmanager itself says, where it is installed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.prometheus_rules import Alert, alerts
from tests.gateway.waiting import wait_until
from tests.places import ROOT

CONFIGURATION = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
PROGRAM = "prometheus-alertmanager" if shutil.which("prometheus-alertmanager") else "alertmanager"
PRODUCTION = {"cluster": "eu", "namespace": "production"}
STAGING = {"cluster": "eu", "namespace": "staging"}
_LISTENING = re.compile(r'msg="?Listening on"? address=(\S+)')

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed (apt-get install prometheus-alertmanager)"
)
needs_alertmanager = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason="Alertmanager is not installed (apt-get install prometheus-alertmanager)"
)


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    """The file, as data."""
    read: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    return read


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an Alertmanager that reads the file; no message of it gets anywhere."""
    folder = tmp_path_factory.mktemp("alertmanager")
    log = folder / "log"
    command = [PROGRAM, f"--config.file={CONFIGURATION}", f"--storage.path={folder}", "--cluster.listen-address="]
    with (
        log.open("w") as stderr,
        subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=stderr) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or _LISTENING.search(log.read_text()) is not None)
            found = _LISTENING.search(log.read_text())
            assert found, log.read_text()
            with httpx.Client(base_url=f"http://{found[1]}/api/v2", trust_env=False, timeout=30) as client:
                yield client
        finally:
            process.terminate()


def amtool(*arguments: str | Path) -> str:
    """Run amtool; return what it says, and fail if it is not content."""
    done = subprocess.run(["amtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@needs_amtool
def test_the_file_is_valid() -> None:
    """Amtool accepts the file, with its receivers and rules of inhibition."""
    said = amtool("check-config", CONFIGURATION)
    assert "SUCCESS" in said
    assert "3 inhibit rules" in said
    assert "2 receivers" in said


def test_what_the_file_holds(configuration: dict[str, Any]) -> None:
    """Groups are by cluster, namespace and alert, and so are rules of inhibition; every receiver of a route exists."""
    route = configuration["route"]
    assert route["group_by"] == ["cluster", "namespace", "alertname"]
    receivers = [each["name"] for each in configuration["receivers"]]
    assert {route["receiver"], *(each["receiver"] for each in route["routes"])} == set(receivers) == {"page", "ticket"}
    for rule in configuration["inhibit_rules"]:
        assert {"cluster", "namespace"} <= set(rule["equal"])


def test_no_secret_is_in_the_file(configuration: dict[str, Any], production: dict[str, Any]) -> None:
    """Addresses and keys of receivers are in files that compose mounts."""
    named = set(re.findall(r"/run/secrets/(\S+)", CONFIGURATION.read_text()))
    assert named == set(production["services"]["alertmanager"]["secrets"])
    assert not re.search(
        r"^\s*(url|api_url|routing_key|service_key|password):", CONFIGURATION.read_text(), re.MULTILINE
    )


@needs_amtool
@pytest.mark.parametrize("alert", alerts(), ids=str)
def test_each_alert_reaches_whom_its_severity_says(alert: Alert) -> None:
    """A page goes to the receiver `page` and a ticket to `ticket`."""
    labels = [f"{name}={value}" for name, value in {**alert.labels, **PRODUCTION, "alertname": alert.name}.items()]
    said = amtool("config", "routes", "test", f"--config.file={CONFIGURATION}", *labels)
    assert said == alert.labels["severity"]


@needs_amtool
def test_an_alert_without_a_severity_is_a_ticket() -> None:
    """Nothing is lost for want of a label."""
    assert amtool("config", "routes", "test", f"--config.file={CONFIGURATION}", "alertname=Other") == "ticket"


def muted(alertmanager: httpx.Client, firing: list[dict[str, str]]) -> set[str]:
    """Have these alerts fire, and no others; return names and severities of those that are muted."""
    now = datetime.now(UTC)
    old = alertmanager.get("/alerts").json()
    begun, over = (now - timedelta(minutes=5)).isoformat(), (now + timedelta(hours=1)).isoformat()
    ended = [{"labels": each["labels"], "startsAt": begun, "endsAt": now.isoformat()} for each in old]
    if ended:
        assert alertmanager.post("/alerts", json=ended).is_success
    wait_until(lambda: alertmanager.get("/alerts").json() == [])
    begun_now = [{"labels": each, "startsAt": begun, "endsAt": over} for each in firing]
    assert alertmanager.post("/alerts", json=begun_now).is_success
    wait_until(lambda: len(alertmanager.get("/alerts").json()) == len(firing))
    # an alert is unprocessed until it is grouped; whether it is inhibited is known from then on
    wait_until(lambda: all(each["status"]["state"] != "unprocessed" for each in alertmanager.get("/alerts").json()))
    return {
        f"{each['labels']['alertname']} {each['labels']['severity']} {each['labels'].get('namespace')}"
        for each in alertmanager.get("/alerts").json()
        if each["status"]["inhibitedBy"]
    }


def firing(name: str, severity: str, where: dict[str, str], **more: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, **where, **more}


@needs_alertmanager
def test_without_gateways_what_follows_is_muted(alertmanager: httpx.Client) -> None:
    """GraftGatewayDown mutes what follows from it in its own namespace, but not what may be its cause."""
    found = muted(
        alertmanager,
        [
            firing("GraftGatewayDown", "page", PRODUCTION),
            firing("GraftAvailabilityBurn", "page", PRODUCTION),
            firing("GraftProbeFailing", "page", PRODUCTION, model="flowers"),
            firing("GraftCredentialExpiresNow", "page", PRODUCTION, kind="certificate"),
            firing("GraftModelServerDown", "ticket", PRODUCTION),
            firing("GraftAvailabilityBurn", "page", STAGING),
            firing("NodeDown", "ticket", PRODUCTION),
        ],
    )
    assert found == {"GraftAvailabilityBurn page production", "GraftProbeFailing page production"}


@needs_alertmanager
def test_a_page_mutes_its_ticket(alertmanager: httpx.Client) -> None:
    """The page of an alert mutes the ticket of the same alert, in its namespace and for its model alone."""
    found = muted(
        alertmanager,
        [
            firing("GraftAvailabilityBurn", "page", PRODUCTION),
            firing("GraftAvailabilityBurn", "ticket", PRODUCTION),
            firing("GraftAvailabilityBurn", "ticket", STAGING),
            firing("GraftLatencyBurn", "ticket", PRODUCTION),
            firing("GraftOfModels", "page", PRODUCTION, model="roses"),
            firing("GraftOfModels", "ticket", PRODUCTION, model="roses"),
            firing("GraftOfModels", "ticket", STAGING, model="tulips"),
        ],
    )
    assert found == {"GraftAvailabilityBurn ticket production", "GraftOfModels ticket production"}


@needs_alertmanager
def test_without_labels_of_a_place_it_works_too(alertmanager: httpx.Client) -> None:
    """On one machine alerts have neither cluster nor namespace, which counts as the same place."""
    found = muted(
        alertmanager,
        [
            firing("GraftNoModelReady", "page", {}, model="flowers"),
            firing("GraftCircuitOpen", "page", {}),
            firing("GraftDrift", "ticket", {}),
        ],
    )
    assert found == {"GraftCircuitOpen page None"}
