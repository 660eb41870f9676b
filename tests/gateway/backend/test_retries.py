"""Only what was not answered is asked again, only three times, and never beyond the deadline."""

import httpx
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, label_in, send
from tests.gateway.waiting import wait_until_ready


@pytest.fixture
def quiet(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that does not look at versions again, and whose circuit stays closed."""
    gateway = start_gateway(poll_interval_seconds=3600, circuit_failures=1000)
    wait_until_ready(gateway)
    return gateway


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unavailable_once_is_answered(quiet: httpx.Client, model_server: FakeModelServer, protocol: str) -> None:
    """A call that ends with UNAVAILABLE once is made again, and its caller sees nothing but the answer."""
    image = marked_image("FIRST:1:UNAVAILABLE")
    response = send(quiet, image, protocol)
    assert (response.status_code, label_in(response, protocol)) == (200, label_for(image))
    assert [(call.attempt, call.outcome) for call in model_server.calls.of()] == [(1, "UNAVAILABLE"), (2, "answered")]


def test_unavailable_twice_is_answered(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """Two failures are still followed by an answer: there are three attempts."""
    assert send(quiet, marked_image("FIRST:2:UNAVAILABLE")).status_code == 200
    assert model_server.calls.count() == 3


def test_unavailable_always_is_given_up_after_three(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """A server that stays UNAVAILABLE is asked three times, then the caller is told to come back."""
    response = send(quiet, marked_image("STATUS:UNAVAILABLE"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert [call.attempt for call in model_server.calls.of()] == [1, 2, 3]


def test_retries_are_throttled(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """When most calls fail nothing is asked again, so retries do not keep a server down; successes earn them back."""
    for number in range(20):
        assert send(quiet, marked_image("STATUS:UNAVAILABLE", number)).status_code == 503
    assert model_server.calls.count() < 20 + 15  # the budget of 10, and what was on its way
    model_server.calls.forget()
    send(quiet, marked_image("STATUS:UNAVAILABLE", 100))
    assert model_server.calls.count() == 1
    for number in range(120):
        assert send(quiet, marked_image(number=number)).status_code == 200
    model_server.calls.forget()
    send(quiet, marked_image("STATUS:UNAVAILABLE", 101))
    assert model_server.calls.count() > 1


@pytest.mark.parametrize(
    "name",
    ["INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT", "NOT_FOUND", "ABORTED"],
)
def test_no_other_status_is_retried(quiet: httpx.Client, model_server: FakeModelServer, name: str) -> None:
    """A status that says more than that nobody was there is the answer, at the first attempt."""
    assert send(quiet, marked_image(f"FIRST:1:{name}")).status_code >= 400
    assert [call.outcome for call in model_server.calls.of()] == [name]


def test_a_retry_does_not_reset_the_deadline(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Each attempt has what is left of the one deadline, and their sum does not exceed it."""
    gateway = start_gateway(poll_interval_seconds=3600, request_timeout_seconds=1.5)
    wait_until_ready(gateway)
    response = send(gateway, marked_image("SLEEP:0.6 STATUS:UNAVAILABLE"))
    assert response.status_code in {503, 504}
    left = [call.seconds_left or 0 for call in model_server.calls.of()]
    assert len(left) >= 2
    assert 0.6 < left[0] < 1.55
    assert left[1] < left[0] - 0.55
