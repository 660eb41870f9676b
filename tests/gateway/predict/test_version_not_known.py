"""Requests for a version that the gateway does not know yet are bounded like all others: slots, circuit, deadline."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import value
from tests.gateway.waiting import wait_until, wait_until_ready

PATHS = ("/v1/predict?version=2", "/v1/models/flowers/card?version=2", "/v1/models/flowers/drift?version=2")
NEVER = 3600


def call_version(gateway: httpx.Client, path: str = PATHS[0]) -> httpx.Response:
    """Send a request for version 2, which nobody has described yet."""
    return gateway.post(path, content=marked_image()) if "predict" in path else gateway.get(path)


def codes(gateway: httpx.Client, number: int, path: str = PATHS[0]) -> list[str]:
    """Return the codes of so many responses to requests sent at once."""
    with ThreadPoolExecutor(number) as threads:
        return [
            response.json()["code"] for response in threads.map(lambda _: call_version(gateway, path), range(number))
        ]


def test_while_the_server_is_down_none_waits(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Three hundred requests for a version while the server is down are 503 soon, as for the latest version."""
    gateway = start_gateway(poll_interval_seconds=NEVER, request_timeout_seconds=60)
    wait_until_ready(gateway)
    model_server.stop()
    started = time.monotonic()
    seen = [code for _ in range(10) for code in codes(gateway, 30)]
    assert time.monotonic() - started < 50, "not even one of ten rounds waited for its deadline of a minute"
    assert set(seen) == {"model_server_unavailable", "circuit_open"}
    assert seen[-1] == "circuit_open"
    assert value(gateway, "circuit_state") == 2
    assert {call_version(gateway, path).headers["retry-after"] for path in PATHS} == {"1"}


@pytest.mark.parametrize("path", PATHS)
def test_a_server_that_hangs_opens_the_circuit(
    start_gateway: StartGateway, model_server: FakeModelServer, path: str
) -> None:
    """Timeouts count: after a few, requests for a version are refused at once, and so are others for the model."""
    gateway = start_gateway(
        poll_interval_seconds=NEVER, request_timeout_seconds=1, circuit_failures=3, circuit_open_seconds=60
    )
    wait_until_ready(gateway)
    with model_server.holding("describe"):
        assert codes(gateway, 4, path) == ["model_server_timeout"] * 4
        model_server.calls.forget()
        assert set(codes(gateway, 20, path)) == {"circuit_open"}
        assert model_server.calls.count("describe") == 0
    assert call_version(gateway, "/v1/predict").json()["code"] == "circuit_open"


@pytest.mark.parametrize("path", PATHS)
def test_too_many_are_shed(start_gateway: StartGateway, model_server: FakeModelServer, path: str) -> None:
    """Requests that wait for a manifest hold slots, so no more of them wait than of any others."""
    gateway = start_gateway(
        poll_interval_seconds=NEVER, max_in_flight=2, max_queued=1, queue_timeout_seconds=30, request_timeout_seconds=30
    )
    wait_until_ready(gateway)
    model_server.publish("flowers", 2)
    with ThreadPoolExecutor(3) as threads:
        with model_server.holding("describe"):
            waiting = [threads.submit(call_version, gateway, path) for _ in range(3)]
            wait_until(lambda: value(gateway, "queued") == 1)
            assert call_version(gateway, path).json()["code"] == "overloaded"
        assert [each.result().status_code for each in waiting] == [200] * 3
    assert model_server.calls.count("describe") == 2, "one for each version"


def test_an_unknown_version_does_not_hold_up_another(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """While the manifest of one version is waited for, that of another is read."""
    gateway = start_gateway(poll_interval_seconds=NEVER)
    wait_until_ready(gateway)
    model_server.publish("flowers", 2)
    with ThreadPoolExecutor(1) as threads, model_server.holding("describe"):
        waiting = threads.submit(call_version, gateway)
        wait_until(lambda: model_server.calls.count("describe") == 2)
        later = threads.submit(call_version, gateway, "/v1/predict?version=3")
        other = gateway.post("/v1/predict?version=3", content=marked_image(), headers={"X-Request-Timeout-Ms": "300"})
        assert other.json()["code"] == "model_server_timeout"
        assert model_server.calls.count("describe") == 3
    assert waiting.result().status_code == 200
    assert later.result().json()["code"] == "version_not_served"


OTHERS = {
    "tensorflow": ("POST", "/v1/models/flowers/versions/2:predict", {"instances": [{"b64": "AAAA"}]}),
    "tensorflow, label": ("POST", "/v1/models/flowers/labels/new:predict", {"instances": [{"b64": "AAAA"}]}),
    "tensorflow, metadata": ("GET", "/v1/models/flowers/versions/2/metadata", None),
    "open inference": (
        "POST",
        "/v2/models/flowers/versions/2/infer",
        {"inputs": [{"name": "image_bytes", "datatype": "BYTES", "shape": [1], "data": ["/9j/"]}]},
    ),
    "open inference, metadata": ("GET", "/v2/models/flowers/versions/2", None),
}
"""Requests of the other protocols that need the signatures of a version, or what a label stands for."""


@pytest.mark.parametrize("name", OTHERS)
def test_signatures_are_waited_for_in_slots(
    start_gateway: StartGateway, model_server: FakeModelServer, name: str
) -> None:
    """Requests that need signatures hold slots while one of them fetches these, and their timeouts open the circuit."""
    gateway = start_gateway(
        poll_interval_seconds=NEVER,
        max_in_flight=2,
        max_queued=1,
        queue_timeout_seconds=30,
        request_timeout_seconds=1,
        circuit_failures=2,
        circuit_open_seconds=60,
    )
    wait_until_ready(gateway)
    method, path, body = OTHERS[name]

    def send(_: int) -> tuple[int, str]:
        response = gateway.request(method, path, json=body)
        return response.status_code, str(response.json()["error"])

    with ThreadPoolExecutor(10) as threads, model_server.holding("GetModelMetadata"):
        seen = list(threads.map(send, range(10)))
        assert 2 <= [status for status, _ in seen].count(504) <= 3, "two hold slots, and one may get one at the end"
        assert {status for status, _ in seen} == {503, 504}
        assert value(gateway, "circuit_state") == 2
        later = [send(0) for _ in range(5)]
        assert all(status == 503 and "several times in a row" in sentence for status, sentence in later)
