"""What is noted of alerts while they come and go in a Prometheus that says so over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from benchmarks.outages.prometheus import Watcher
from benchmarks.outages.record import Record


class FakePrometheus:
    """Answers `/api/v1/alerts` with `alerts`, and `/api/v1/rules` with `rules`, as Prometheus does."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []

    def firing(self, *names: str, state: str = "firing") -> None:
        """Let these alerts fire from now on, and no others."""
        self.alerts = [
            {"labels": {"alertname": name, "severity": "page"}, "annotations": {"summary": f"{name}."}, "state": state}
            for name in names
        ]

    def respond(self, path: str) -> bytes:
        """Return the body for a path."""
        data = {"alerts": self.alerts} if path.endswith("/alerts") else {"groups": [{"rules": self.rules}]}
        return json.dumps({"status": "success", "data": data}).encode()


@pytest.fixture
def prometheus() -> Iterator[tuple[FakePrometheus, Watcher]]:
    """A Prometheus whose alerts a test sets, on a port of its own, and a client of it."""
    fake = FakePrometheus()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(fake.respond(self.path))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield fake, Watcher(client)
        server.shutdown()
        thread.join()


def test_what_fires_before_during_and_after_is_told_apart(prometheus: tuple[FakePrometheus, Watcher]) -> None:
    """An alert that fires before anything is broken is marked, one that is over has an end, a pending one is none."""
    fake, watcher = prometheus
    said: list[str] = []
    record = Record(watcher, said.append)
    fake.firing("Early")
    record.begins()
    fake.firing("Prompt", "Lasting")
    record.look()
    record.counts_from(None)
    fake.firing("Lasting")
    record.look()
    fake.firing("Pending", state="pending")
    assert not record.is_over(set())
    assert record.is_over({("Lasting", "page")})
    record.look()
    assert record.is_over(set())
    found = {each.alert: each for each in record.fired()}
    assert {name: each.before for name, each in found.items()} == {"Early": True, "Prompt": False, "Lasting": False}
    assert all(each.ended is not None for each in found.values())
    assert said == ["Early (page): Early.", "Prompt (page): Prompt.", "Lasting (page): Lasting."]


def test_an_alert_that_fires_again_is_not_over(prometheus: tuple[FakePrometheus, Watcher]) -> None:
    """Its beginning is the first one, its end the last."""
    fake, watcher = prometheus
    record = Record(watcher, lambda _: None)
    record.begins()
    for firing in (["A"], [], ["A"]):
        fake.firing(*firing)
        record.look()
    (fired,) = record.fired()
    assert fired.ended is None
    fake.firing()
    record.follow(30, until=lambda: record.is_over(set()))
    (fired,) = record.fired()
    assert fired.ended is not None
    assert fired.ended > fired.at


def test_times_count_from_where_the_outage_began(prometheus: tuple[FakePrometheus, Watcher]) -> None:
    """Also where breaking took longer, as a rolling restart does."""
    fake, watcher = prometheus
    record = Record(watcher, lambda _: None)
    record.begins()
    record.counts_from(time.monotonic() - 5.0)
    fake.firing("A")
    record.look()
    (fired,) = record.fired()
    assert 5.0 <= fired.at < 15.0


def test_rules_that_cannot_be_computed_are_named(prometheus: tuple[FakePrometheus, Watcher]) -> None:
    """With what Prometheus says of them."""
    fake, watcher = prometheus
    fake.rules = [
        {"name": "GraftDrift", "health": "err", "lastError": "many-to-many"},
        {"name": "GraftShedding", "health": "ok", "lastError": ""},
    ]
    assert watcher.rule_errors() == ("GraftDrift, many-to-many",)
