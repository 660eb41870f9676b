"""A fake model server, and gateways that really listen, before every test of the gateway."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.app import create_app
from gateway.http.server import GatewayServer, listen
from gateway.settings import Settings
from tests.fakes.model_server import FakeModelServer
from tests.fakes.tensor_model_server import MODEL, TensorModelServer
from tests.gateway.waiting import wait_until, wait_until_ready

StartGateway = Callable[..., httpx.Client]


def _leave_alone(app: FastAPI) -> None:
    """Add nothing to the application."""


@pytest.fixture
def model_server() -> Iterator[FakeModelServer]:
    """A fake model server of the test's own that serves version 1 of the model `flowers`."""
    with _running_model_server() as server:
        yield server


@pytest.fixture
def start_gateway(model_server: FakeModelServer) -> Iterator[StartGateway]:
    """Start a gateway with these settings before the test's model server; return a client of it.

    `prepare` may add to the application before it is served.
    """
    with ExitStack() as stack:

        def start(prepare: Callable[[FastAPI], None] = _leave_alone, **settings: Any) -> httpx.Client:
            return stack.enter_context(_running_gateway(model_server, prepare, **settings))

        yield start


@pytest.fixture
def own_gateway(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway of the test's own, ready to answer for the model `flowers`."""
    client = start_gateway()
    wait_until_ready(client)
    return client


@pytest.fixture
def tensor_server() -> Iterator[TensorModelServer]:
    """A model server with models of every type, of the test's own."""
    server = TensorModelServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tensor_gateway(start_gateway: StartGateway, tensor_server: TensorModelServer) -> httpx.Client:
    """A gateway before it that has seen the model's versions."""
    client = start_gateway(model_server=tensor_server.address, models=(MODEL,), log_level="error")
    wait_until(lambda: client.get("/v2/health/ready").status_code == 200)
    return client


@pytest.fixture(scope="module")
def gateway() -> Iterator[httpx.Client]:
    """A client of a gateway that is ready, for tests that neither change its model server nor count."""
    with _running_model_server() as server, _running_gateway(server) as client:
        wait_until_ready(client)
        yield client


@contextmanager
def _running_model_server() -> Iterator[FakeModelServer]:
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    yield server
    server.stop()


@contextmanager
def _running_gateway(
    model_server: FakeModelServer, prepare: Callable[[FastAPI], None] = _leave_alone, /, **changed: Any
) -> Iterator[httpx.Client]:
    usual = {
        "port": 0,
        "model_server": model_server.address,
        "models": ("flowers",),
        "poll_interval_seconds": 0.05,
    }
    settings = Settings(**{**usual, **changed})
    app = create_app(settings)
    prepare(app)
    ready = threading.Event()
    with listen(settings.host, settings.port) as listener:
        server = GatewayServer(app, settings, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(10)
            port = listener.getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
