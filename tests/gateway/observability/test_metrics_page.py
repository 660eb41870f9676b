"""docs/metrics.md lists the metrics: their names, types and labels, no more and no less."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.observability.log_sampling import FIRST_IN_A_MINUTE
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.drift.drifting_model import SETTINGS, WINDOW, publish, send
from tests.gateway.images import draw
from tests.gateway.security.api_keys import HOUR, Keys, bearer
from tests.gateway.waiting import wait_until, wait_until_ready
from tests.places import ROOT

PAGE = ROOT / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(graft_gateway_\w+)` \| (\w+) \|[^|]*\|([^|]*)\|[^|]+\|$", re.MULTILINE)

Described = dict[str, tuple[str, frozenset[str]]]


def written() -> Described:
    """Return the type and the labels of each metric in the page's table."""
    rows = ROW.findall(PAGE.read_text())
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def shown(text: str) -> Described:
    """Return the same of an exposition, as far as there are series."""
    found: Described = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset(sample.labels) - {"le"}
            name = sample.name if family.type == "counter" else family.name  # which has no _total
            assert found.setdefault(name, (family.type, labels)) == (family.type, labels)
    return found


@pytest.fixture
def text(start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Path) -> str:
    """What /metrics says after everything has happened that is counted."""
    keys = Keys(tmp_path / "keys.json")
    operator = keys.add("predict", "operate", expires=datetime.now(UTC) + HOUR)
    publish(model_server)
    gateway = start_gateway(api_keys_file=keys.path, max_in_flight=1, max_queued=0, log_sample=0, **SETTINGS)
    gateway.headers.update(bearer(operator))
    wait_until_ready(gateway)
    send(gateway, range(WINDOW))
    for _ in range(FIRST_IN_A_MINUTE + 10):
        gateway.post("/v1/predict", content=b"text")
    assert gateway.post("/v1/predict", content=b"text").status_code == 415
    with ThreadPoolExecutor(1) as threads, model_server.holding():
        running = threads.submit(gateway.post, "/v1/predict", content=draw())
        wait_until(lambda: model_server.calls.running == 1)
        assert gateway.post("/v1/predict", content=draw()).status_code == 503
        model_server.release()
        assert running.result().status_code == 200
    return gateway.get("/metrics").text


def test_the_page_lists_what_there_is(text: str) -> None:
    """The table has each metric of a gateway to which everything has happened, its type and labels, and no other."""
    assert shown(text) == written()


def test_no_metric_is_hidden(text: str) -> None:
    """Nothing is declared at /metrics without a series after everything has happened."""
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert declared == set(written())
