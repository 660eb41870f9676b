"""Two model servers behind one name: calls go to both, and one that is dead costs nobody an answer."""

from collections.abc import Iterator

import grpc
import httpx
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import label_in, send
from tests.gateway.waiting import wait_until, wait_until_ready


@pytest.fixture
def second() -> Iterator[FakeModelServer]:
    """A second server of the same model."""
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def balanced(model_server: FakeModelServer, second: FakeModelServer, start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway before both servers that has reached both."""
    gateway = start_gateway(model_server=f"ipv4:{model_server.address},{second.address}", poll_interval_seconds=0.2)
    wait_until_ready(gateway)

    def both_called() -> bool:
        send(gateway, marked_image())
        return model_server.calls.count() > 0 < second.calls.count()

    wait_until(both_called)
    return gateway


def call_often(gateway: httpx.Client, count: int) -> list[int]:
    """Ask about different images; return the statuses, and fail if an answer is not that image's."""
    statuses = []
    for number in range(count):
        image = marked_image(number=number)
        response = send(gateway, image)
        statuses.append(response.status_code)
        assert response.status_code != 200 or label_in(response) == label_for(image)
    return statuses


def test_calls_go_to_both(balanced: httpx.Client, model_server: FakeModelServer, second: FakeModelServer) -> None:
    """Replicas are asked in turn."""
    model_server.calls.forget()
    second.calls.forget()
    assert call_often(balanced, 40) == [200] * 40
    assert min(model_server.calls.count(), second.calls.count()) >= 15


def test_one_dead_of_two_costs_no_answer(
    balanced: httpx.Client, model_server: FakeModelServer, second: FakeModelServer
) -> None:
    """One server dies and returns: no caller notices either, and both are asked again."""
    model_server.stop()
    assert call_often(balanced, 40) == [200] * 40
    assert balanced.get("/readyz").status_code == 200
    model_server.calls.forget()
    model_server.start()
    wait_until(lambda: call_often(balanced, 2) == [200, 200] and model_server.calls.count() > 0)
    assert second.calls.count() > 0


def test_one_sick_of_two_costs_no_answer(
    balanced: httpx.Client, model_server: FakeModelServer, second: FakeModelServer
) -> None:
    """A server that accepts connections and answers UNAVAILABLE is made up for by the other, within the budget."""
    second.calls.forget()
    model_server.refuse("Predict", grpc.StatusCode.UNAVAILABLE)
    assert call_often(balanced, 8) == [200] * 8
    assert second.calls.count() == 8
