"""The program that health checks of the images run."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.places import ROOT


def probe(*arguments: str | int) -> int:
    command = [sys.executable, "-E", "-s", str(ROOT / "deploy" / "docker" / "probe.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode


class Responses(BaseHTTPRequestHandler):
    """Answers `/readyz` with 200 and anything else with 503."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200 if self.path == "/readyz" else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """The port of a server that is ready, but not in every way."""
    with HTTPServer(("127.0.0.1", 0), Responses) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_server_that_answers_200_is_healthy(http_port: int) -> None:
    """The exit code is 0 for 200, and 1 for another status."""
    assert probe("http", http_port, "/readyz") == 0
    assert probe("http", http_port, "/other") == 1


def test_nobody_who_listens_is_not_healthy() -> None:
    """The exit code is 1 where nothing answers, over HTTP and over gRPC."""
    with HTTPServer(("127.0.0.1", 0), Responses) as gone:
        port = gone.server_port
    assert probe("http", port, "/readyz") == 1
    assert probe("grpc", port) == 1


def test_a_grpc_server_is_healthy_while_it_serves() -> None:
    """The exit code follows the health service's status: 0 for SERVING, 1 for NOT_SERVING."""
    servicer = health.HealthServicer()
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert probe("grpc", port) == 1
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        assert probe("grpc", port) == 0
    finally:
        server.stop(None)


def test_other_arguments_are_refused() -> None:
    """The exit code is 2 where the program is asked for something else."""
    assert probe("tcp", 80) == 2
