"""More requests than can be answered: a bounded number runs, a bounded number waits, the others are told at once."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.admission.concurrency import Admission, FixedLimit
from gateway.deadline import Deadline
from gateway.observability.metrics import Metrics
from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import value
from tests.gateway.observations import observation_of
from tests.gateway.protocol_requests import PROTOCOLS, label_in, send, sentence_in
from tests.gateway.raw_requests import read_response, sent
from tests.gateway.waiting import wait_until, wait_until_ready

TINY = {"max_in_flight": 2, "max_queued": 2, "queue_timeout_seconds": 8, "poll_interval_seconds": 3600}


@pytest.fixture
def tiny(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that lets two requests through and two wait."""
    gateway = start_gateway(**TINY)
    wait_until_ready(gateway)
    return gateway


def label_of(body: Any) -> str:
    """Return the label in a native answer."""
    return str(body["predictions"][0]["label"])


def shed_count(gateway: httpx.Client, reason: str) -> float:
    """Return how many requests /metrics says were turned away for a reason."""
    lines = gateway.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith(f'graft_gateway_shed_total{{reason="{reason}"}}')]
    return float(found[0].split()[-1]) if found else 0.0


def test_too_many_are_told_at_once(tiny: httpx.Client, model_server: FakeModelServer) -> None:
    """With two running and two waiting every other request is a 503 with Retry-After, at once and without a call."""
    images = [marked_image(number=number) for number in range(4)]
    with model_server.holding(), sent(tiny, *images, in_order=True) as connections:
        for number in range(30):
            response = send(tiny, marked_image(number=number), PROTOCOLS[number % 3])
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert "try again" in sentence_in(response, PROTOCOLS[number % 3])
        assert shed_count(tiny, "queue_full") == 30
        assert model_server.calls.count() == 2
        for path in ("/livez", "/readyz", "/metrics", "/v1/models"):
            assert tiny.get(path).status_code == 200
        model_server.release()
        responses = [read_response(connection) for connection in connections]
    assert [(status, label_of(body)) for status, body in responses] == [(200, label_for(image)) for image in images]
    assert model_server.calls.most_running == 2


def test_waiting_has_an_end(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A request that waits longer than queue_timeout_seconds is a 503, and never reaches the model server."""
    gateway = start_gateway(**{**TINY, "max_in_flight": 1, "queue_timeout_seconds": 0.3})
    wait_until_ready(gateway)
    with ThreadPoolExecutor(1) as threads, model_server.holding():
        running = threads.submit(send, gateway, marked_image())
        wait_until(lambda: model_server.calls.running == 1)
        started = time.monotonic()
        response = send(gateway, marked_image(number=1))
        assert time.monotonic() - started > 0.25
        assert (response.status_code, response.json()["code"]) == (503, "overloaded")
        assert shed_count(gateway, "queue_timeout") == 1
    assert running.result().status_code == 200
    assert model_server.calls.count() == 1


def test_those_who_wait_are_served_in_order(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """The queue is first come, first served."""
    gateway = start_gateway(**{**TINY, "max_in_flight": 1, "max_queued": 5})
    wait_until_ready(gateway)
    marks = [f"place{number}" for number in range(6)]
    with model_server.holding(), sent(gateway, *map(marked_image, marks), in_order=True) as connections:
        model_server.release()
        assert [read_response(connection)[0] for connection in connections] == [200] * 6
    seen = [next(mark for mark in marks if mark.encode() in call.content) for call in model_server.calls.of()]
    assert seen == marks


def test_who_leaves_the_queue_makes_room(tiny: httpx.Client, model_server: FakeModelServer) -> None:
    """A caller who goes away while waiting leaves its place to the next one, and never reaches the model server."""
    with model_server.holding(), sent(tiny, marked_image(), marked_image()) as running:
        with sent(tiny, marked_image("gone"), marked_image("gone")):
            assert send(tiny, marked_image()).status_code == 503
        wait_until(lambda: value(tiny, "requests_total", outcome="client_gone", route="/v1/predict") == 2)
        with sent(tiny, marked_image("stays")) as [waiting]:
            model_server.release()
            assert [read_response(connection)[0] for connection in (*running, waiting)] == [200] * 3
    assert model_server.calls.of(mark=b"gone") == []


def test_a_crowd_is_bounded(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Forty callers at once: never more than four calls run, everyone gets the own answer or an honest 503."""
    gateway = start_gateway(max_in_flight=4, max_queued=8, queue_timeout_seconds=5, poll_interval_seconds=3600)
    wait_until_ready(gateway)
    images = [marked_image("SLEEP:0.02", number) for number in range(160)]
    with ThreadPoolExecutor(40) as threads:
        responses = list(threads.map(lambda image: send(gateway, image), images))
    assert {response.status_code for response in responses} <= {200, 503}
    good = [(image, response) for image, response in zip(images, responses, strict=True) if response.status_code == 200]
    assert len(good) == model_server.calls.count() >= 12
    assert [label_in(response) for _, response in good] == [label_for(image) for image, _ in good]
    assert model_server.calls.most_running <= 4


def test_a_waiter_that_leaves_as_a_slot_becomes_free() -> None:
    """Who is cancelled in the very moment in which a slot is handed on neither fails otherwise nor keeps it."""

    async def hold(admission: Admission, until: asyncio.Event) -> None:
        async with admission.slot(Deadline.after(10), observation_of()):
            await until.wait()

    async def play() -> None:
        admission = Admission(FixedLimit(1), 5, 10.0, Metrics(()))
        done = asyncio.Event()
        holder = asyncio.create_task(hold(admission, done))
        waiters = [asyncio.create_task(hold(admission, done)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done.set()
        waiters[0].cancel()
        results = await asyncio.gather(holder, *waiters, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None), type(None)]
        async with admission.slot(Deadline.after(10), observation_of()):
            pass

    asyncio.run(play())
