"""A model server that fails again and again is left alone for a while, then asked once, then used again."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, send, sentence_in
from tests.gateway.waiting import wait_until, wait_until_ready

FAILS = "STATUS:DEADLINE_EXCEEDED"  # counted like UNAVAILABLE, and never asked again by gRPC
OPEN_SECONDS = 0.5
SETTINGS = {"circuit_failures": 3, "circuit_open_seconds": OPEN_SECONDS, "poll_interval_seconds": 3600}


@pytest.fixture
def brittle(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway whose circuit opens after three failures, for half a second."""
    gateway = start_gateway(**SETTINGS)
    wait_until_ready(gateway)
    return gateway


def fail(gateway: httpx.Client, times: int) -> list[int]:
    """Ask questions that fail; return the statuses."""
    return [send(gateway, marked_image(FAILS, number)).status_code for number in range(times)]


def code_of(response: httpx.Response) -> str:
    """Return the code of a native problem, or ok."""
    return "ok" if response.status_code == 200 else str(response.json()["code"])


def state(gateway: httpx.Client) -> float:
    """Return the circuit's state as /metrics shows it."""
    lines = gateway.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("graft_gateway_circuit_state{")).split()[-1])


def test_it_opens_after_failures_in_a_row(brittle: httpx.Client, model_server: FakeModelServer) -> None:
    """The third failure in a row opens the circuit: 503 with Retry-After at once, and no call, in any protocol."""
    assert fail(brittle, 3) == [504] * 3
    started = time.monotonic()
    for protocol in PROTOCOLS:
        response = send(brittle, marked_image(), protocol)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "several times in a row" in sentence_in(response, protocol)
    assert time.monotonic() - started < OPEN_SECONDS
    assert model_server.calls.count() == 3
    assert state(brittle) == 2
    assert brittle.get("/livez").status_code == 200


def test_a_success_ends_the_row(brittle: httpx.Client) -> None:
    """Failures with a success in between do not open it."""
    for _ in range(3):
        assert fail(brittle, 2) == [504] * 2
        assert send(brittle, marked_image()).status_code == 200


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND"])
def test_any_status_that_a_living_server_gives_ends_the_row(brittle: httpx.Client, name: str) -> None:
    """A server that refuses a question is there: it ends the row of failures."""
    for _ in range(2):
        assert fail(brittle, 2) == [504] * 2
        assert code_of(send(brittle, marked_image(f"STATUS:{name}"))) != "circuit_open"
    assert send(brittle, marked_image()).status_code == 200


def test_a_probe_that_is_refused_closes_it(brittle: httpx.Client) -> None:
    """A server that refuses the probe's question is there again: what follows is asked at once."""
    fail(brittle, 3)
    wait_until(lambda: code_of(send(brittle, marked_image("STATUS:INVALID_ARGUMENT"))) == "request_rejected")
    assert [send(brittle, marked_image(number=number)).status_code for number in range(3)] == [200] * 3
    assert state(brittle) == 0


def test_one_probe_decides(brittle: httpx.Client, model_server: FakeModelServer) -> None:
    """After the pause exactly one call goes through while the others are refused at once; its success closes it."""
    fail(brittle, 3)
    model_server.calls.forget()
    called: list[Future[httpx.Response]] = []
    with ThreadPoolExecutor(8) as threads, model_server.holding():

        def a_probe_runs() -> bool:
            if not called or called[-1].done():
                called.append(threads.submit(send, brittle, marked_image()))
            return model_server.calls.running > 0

        wait_until(a_probe_runs)
        others = list(threads.map(lambda number: send(brittle, marked_image(number=number)), range(30)))
        assert {code_of(response) for response in others} == {"circuit_open"}
        assert model_server.calls.count() == 1
        assert state(brittle) == 1
    assert called[-1].result().status_code == 200
    assert state(brittle) == 0
    assert [send(brittle, marked_image(number=number)).status_code for number in range(5)] == [200] * 5


def test_a_failed_probe_begins_another_pause(brittle: httpx.Client, model_server: FakeModelServer) -> None:
    """A probe that fails keeps the circuit open for as long again."""
    fail(brittle, 3)
    model_server.calls.forget()
    wait_until(lambda: code_of(send(brittle, marked_image(FAILS, 10))) == "model_server_timeout")
    failed_at = time.monotonic()
    wait_until(lambda: code_of(send(brittle, marked_image())) == "ok")
    assert time.monotonic() - failed_at > OPEN_SECONDS - 0.1
    assert model_server.calls.count() == 2


def test_an_impatient_caller_opens_nothing(brittle: httpx.Client, model_server: FakeModelServer) -> None:
    """Calls that end because their callers gave them little time say nothing about the server."""
    for number in range(5):
        response = send(brittle, marked_image("HANG", number), **{"X-Request-Timeout-Ms": "50"})
        assert response.status_code == 504
    assert send(brittle, marked_image()).status_code == 200


def test_each_model_has_its_own(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """One model's failures do not keep another one from being asked."""
    model_server.publish("dogs", 1)
    gateway = start_gateway(models=("flowers", "dogs"), **SETTINGS)
    wait_until_ready(gateway)
    fail(gateway, 3)
    assert code_of(send(gateway, marked_image())) == "circuit_open"
    assert gateway.post("/v1/predict?model=dogs", content=marked_image()).status_code == 200
