"""Logging never breaks serving: whatever becomes of the gateway's standard output and error, callers get responses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.fakes.model_server import FakeModelServer
from tests.gateway.images import draw
from tests.gateway.metric_values import value
from tests.gateway.waiting import wait_until, wait_until_ready

REQUESTS = 300


@contextmanager
def gateway(
    model_server: FakeModelServer, stdout: int, stderr: int, *, closed: bool = False, workers: int = 1
) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """Run a gateway whose output cannot be read, so its port is found among its sockets; kill it if need be."""
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0", f"--workers={workers}"]
    command += ["--model-server", model_server.address, "--set", "shutdown_delay_seconds=0"]
    if closed:
        command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    environment = {**os.environ, "GATEWAY_POLL_INTERVAL_SECONDS": "0.1", "GATEWAY_LOG_LEVEL": "debug"}
    with subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment) as process:
        try:
            wait_until(lambda: bool(ports_of(process.pid)), seconds=30)
            url = f"http://127.0.0.1:{ports_of(process.pid)[0]}"
            with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=30) as client:
                wait_until_ready(client)
                yield process, client
        finally:
            process.kill()


def ports_of(process_id: int) -> list[int]:
    """Return the ports on which a process listens."""
    return [each.laddr.port for each in psutil.Process(process_id).net_connections("inet") if each.status == "LISTEN"]


def send_requests(client: httpx.Client, count: int = REQUESTS) -> None:
    """Send good images one after the other; each must be predicted, and every request has a line in the log."""
    image = draw()
    statuses = [
        client.post("/v1/predict", content=image, headers={"X-Request-ID": f"number-{number}"}).status_code
        for number in range(count)
    ]
    assert statuses == [200] * count


def fill(client: httpx.Client, until_dropped: int) -> None:
    """Send requests with long lines until so many lines were dropped."""
    while value(client, "log_lines_dropped_total") < until_dropped:
        for _ in range(100):
            client.get("/livez", headers={"X-Request-ID": "x" * 128})


def numbered(lines: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the requests of `send_requests` that have a line."""
    ids = [str(each["request_id"]) for each in lines if each["event"] == "request"]
    return [each for each in ids if each.startswith("number-")]


def assert_it_stops(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM ends the process in its time, without an error."""
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_loses_lines_and_no_request(model_server: FakeModelServer, workers: int) -> None:
    """With output and log on a full disk every request has its response; the lines are counted as dropped."""
    with (
        Path("/dev/full").open("wb") as full,
        gateway(model_server, full.fileno(), full.fileno(), workers=workers) as (process, client),
    ):
        send_requests(client)
        assert client.post("/v1/predict", content=b"not an image").status_code == 415
        wait_until(lambda: value(client, "log_lines_dropped_total") >= REQUESTS)
        assert_it_stops(process)


def test_a_pipe_that_nothing_reads_stops_nothing(model_server: FakeModelServer) -> None:
    """With a full pipe every request has its response, SIGTERM ends the process, and lines are dropped and counted."""
    reading, writing = os.pipe()
    try:
        with gateway(model_server, writing, writing) as (process, client):
            fill(client, until_dropped=1)
            send_requests(client)
            assert value(client, "log_lines_dropped_total") >= REQUESTS
            assert_it_stops(process)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_that_is_read_again_says_what_is_missing(model_server: FakeModelServer) -> None:
    """Who reads the log again finds in one line how many were dropped, in the format of the log, and then new lines."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as log, gateway(model_server, subprocess.DEVNULL, writing) as (process, client):
        os.close(writing)
        fill(client, until_dropped=10)
        dropped = value(client, "log_lines_dropped_total")
        line = json.loads(log.readline())
        while "dropped" not in line:
            line = json.loads(log.readline())
        send_requests(client, 20)
        assert_it_stops(process)
        after = [json.loads(each) for each in log]
    assert line["level"] == "warning"
    assert f"could not be written: {line['dropped']}" in line["event"]
    assert line["dropped"] >= dropped
    assert numbered(after) == [f"number-{number}" for number in range(20)]


def test_a_reader_that_leaves_takes_no_request_with_it(model_server: FakeModelServer) -> None:
    """When the reader of output and log ends while the gateway runs, every request has its response."""
    reading, writing = os.pipe()
    with gateway(model_server, writing, writing) as (process, client):
        os.close(writing)
        send_requests(client, 20)
        os.close(reading)
        send_requests(client)
        wait_until(lambda: value(client, "log_lines_dropped_total") >= REQUESTS)
        assert_it_stops(process)


def test_closed_output_closes_nothing_else(model_server: FakeModelServer) -> None:
    """A gateway that is started with output and log closed serves, and no line goes into a connection."""
    with gateway(model_server, subprocess.DEVNULL, subprocess.DEVNULL, closed=True) as (process, client):
        send_requests(client, 20)
        assert_it_stops(process)


def test_every_line_is_there_after_sigterm(model_server: FakeModelServer, tmp_path: Path) -> None:
    """All lines are in the log once the process has ended, in the order of the requests."""
    path = tmp_path / "log"
    with path.open("wb") as log, gateway(model_server, log.fileno(), log.fileno()) as (process, client):
        send_requests(client)
        assert_it_stops(process)
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
    assert numbered(lines) == [f"number-{number}" for number in range(REQUESTS)]
    assert sum(line.startswith("Gateway listening on http://") for line in path.read_text().splitlines()) == 1
