"""The gateway as a process of its own: what it loads, how it starts, how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil
import pytest

from tests.fakes.model_server import FakeModelServer
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until_ready

HEAVY = ("tensorflow", "keras", "numpy", "PIL")
LATER = ("cryptography", "jwt", "jinja2", "opentelemetry.sdk", "httpx", "multiprocessing.spawn")
"""What few gateways need is not loaded before they do, so that each starts within a second and a half."""
LOADED = f"""
import sys, gateway.app
assert "grpc" in sys.modules
print(*[name for name in {HEAVY + LATER} if name in sys.modules])
"""
TAKEN = "Address already in use"
SERVE = [sys.executable, "-m", "graft", "gateway", "--model", "flowers"]
ENVIRONMENT = {**os.environ, "GATEWAY_POLL_INTERVAL_SECONDS": "0.05"}


@dataclass
class Running:
    """A gateway process that answers, and a client of it."""

    process: subprocess.Popen[str]
    client: httpx.Client


@contextmanager
def running(model_server: FakeModelServer) -> Iterator[Running]:
    """Run a gateway process on a free port, and end it."""
    command = [*SERVE, "--model-server", model_server.address, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"Gateway listening on (http://127\.0\.0\.1:[1-9]\d*)\n", line)
            assert found, line
            with httpx.Client(base_url=found[1], trust_env=False) as client:
                assert client.get("/livez").status_code == 200
                yield Running(process, client)
        finally:
            process.kill()


def test_no_heavy_library_is_loaded() -> None:
    """A fresh process that imports the application has gRPC in it, but neither TensorFlow nor what it needs later."""
    result = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    assert result.stdout.split() == []


def test_it_is_small(model_server: FakeModelServer) -> None:
    """After a prediction it holds under 120 MB; how soon it starts is printed by `make bench-gateway`."""
    with running(model_server) as gateway:
        wait_until_ready(gateway.client)
        assert gateway.client.post("/v1/predict", content=draw()).status_code == 200
        assert psutil.Process(gateway.process.pid).memory_info().rss < 120e6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(model_server: FakeModelServer, number: signal.Signals) -> None:
    """SIGTERM and SIGINT let a running request finish, then the process ends with 0."""
    with running(model_server) as gateway:
        wait_until_ready(gateway.client)
        address = gateway.client.base_url
        body = draw(mark=b"SLEEP:0.5 ")
        with socket.create_connection((address.host, address.port or 80), timeout=10) as connection:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            before = len(model_server.predict_requests)
            connection.sendall(head.encode() + body)
            while len(model_server.predict_requests) == before:
                time.sleep(0.01)
            gateway.process.send_signal(number)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert gateway.process.wait(10) == 0


def test_a_taken_port_is_one_line(model_server: FakeModelServer) -> None:
    """A port that is taken ends the process with 2 and one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*SERVE, "--model-server", model_server.address, "--port", str(port)]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert (
        result.stderr
        == f"Cannot listen on 127.0.0.1:{port} (port): {TAKEN}; end what listens there, or give another port.\n"
    )
