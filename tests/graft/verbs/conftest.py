"""A service for the verbs that send images to one."""

from collections.abc import Iterator

import pytest

from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import RunningGateway, gateway_process


@pytest.fixture(scope="module")
def model_server() -> Iterator[FakeModelServer]:
    """A fake model server of the model flowers."""
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(model_server: FakeModelServer) -> Iterator[RunningGateway]:
    """A gateway before it."""
    with gateway_process(model_server.address, shutdown_delay_seconds=0) as running:
        yield running


@pytest.fixture
def url(gateway: RunningGateway) -> str:
    """Return the gateway's URL."""
    return str(gateway.client.base_url)
