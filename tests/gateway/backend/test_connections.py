"""Connections that break, end, stall or open slowly between the gateway and its model server."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.fakes.cutting_proxy import CuttingProxy, Fate
from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, label_in, send, sentence_in
from tests.gateway.waiting import wait_until, wait_until_ready


@pytest.fixture
def proxy(model_server: FakeModelServer) -> Iterator[CuttingProxy]:
    """A proxy before the test's model server."""
    proxy = CuttingProxy(model_server.port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def behind(proxy: CuttingProxy, start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that reaches its model server through the proxy, and does not look at versions again."""
    gateway = start_gateway(model_server=proxy.address, poll_interval_seconds=3600, request_timeout_seconds=1)
    wait_until_ready(gateway)
    return gateway


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.GOAWAY, Fate.REFUSED])
def test_a_call_without_any_answer_is_made_again(
    behind: httpx.Client, proxy: CuttingProxy, model_server: FakeModelServer, fate: Fate
) -> None:
    """A connection that ends before the first byte of the answer costs the caller nothing but time."""
    proxy.strike(fate)
    image = marked_image()
    response = send(behind, image)
    assert (response.status_code, label_in(response)) == (200, label_for(image))
    assert model_server.calls.count() == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("fate", "status"), [(Fate.CUT_WITHIN, 503), (Fate.INTERNAL, 502)])
def test_a_torn_answer_is_no_answer(
    behind: httpx.Client, proxy: CuttingProxy, model_server: FakeModelServer, fate: Fate, status: int, protocol: str
) -> None:
    """Half an answer is a 503, a reset stream a 502, neither is asked again nor names a host; the next call is good."""
    assert send(behind, marked_image(), protocol).status_code == 200  # asks for the signatures, where need be
    model_server.calls.forget()
    proxy.strike(fate)
    torn = send(behind, marked_image(number=1), protocol)
    assert torn.status_code == status
    assert "127.0.0.1" not in sentence_in(torn, protocol)
    assert model_server.calls.count() == 1
    image = marked_image(number=2)
    response = send(behind, image, protocol)
    assert (response.status_code, label_in(response, protocol)) == (200, label_for(image))


def test_goaway_costs_no_call(behind: httpx.Client, proxy: CuttingProxy, model_server: FakeModelServer) -> None:
    """Calls that run when the server says GOAWAY are answered, and later ones use a new connection."""
    before = proxy.connections
    with ThreadPoolExecutor(8) as threads:
        with model_server.holding():
            images = [marked_image(number=number) for number in range(8)]
            called = [threads.submit(send, behind, image) for image in images]
            wait_until(lambda: model_server.calls.running == 8)
            proxy.say_goaway()
            wait_until(lambda: proxy.connections > before)
            later = threads.submit(send, behind, marked_image(number=8))
        assert [label_in(response.result()) for response in called] == [label_for(image) for image in images]
    assert later.result().status_code == 200
    assert model_server.calls.count() == 9


def test_a_server_that_drains_answers_what_runs(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A model server that stops in order loses no call, and a new one on its port is found."""
    with ThreadPoolExecutor(8) as threads:
        called = [threads.submit(send, own_gateway, marked_image("SLEEP:0.5", number)) for number in range(8)]
        wait_until(lambda: model_server.calls.running == 8)
        model_server.stop(grace_seconds=5)
        assert [response.result().status_code for response in called] == [200] * 8
    model_server.start()
    wait_until_ready(own_gateway)
    assert send(own_gateway, marked_image()).status_code == 200


def test_a_connection_that_says_nothing_ends_at_the_deadline(behind: httpx.Client, proxy: CuttingProxy) -> None:
    """While nothing gets through every caller is told within the deadline, and afterwards all is as before."""
    proxy.freeze()
    started = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda number: send(behind, marked_image(number=number)), range(8)))
    assert {response.status_code for response in responses} == {504}
    assert time.monotonic() - started < 20, "a connection by itself is given up after minutes"
    assert behind.get("/livez").status_code == 200
    proxy.thaw()
    image = marked_image(number=99)
    wait_until(lambda: send(behind, image).status_code == 200)
    assert label_in(send(behind, image)) == label_for(image)


def test_a_slow_start_is_waited_for(
    proxy: CuttingProxy, start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """A server that is slow to take connections, then slow to load, keeps the gateway unready and alive until then."""
    proxy.connect_seconds = 0.5
    model_server.publish("flowers", 1, state="LOADING")
    gateway = start_gateway(model_server=proxy.address)
    assert gateway.get("/readyz").status_code == 503
    early = send(gateway, marked_image())
    assert early.status_code in {503, 504}
    assert gateway.get("/livez").status_code == 200
    wait_until(lambda: model_server.calls.count("GetModelStatus", "answered") > 0)
    wait_until(lambda: send(gateway, marked_image()).json()["code"] == "model_not_loaded")
    model_server.publish("flowers", 1)
    wait_until_ready(gateway)
    assert send(gateway, marked_image()).status_code == 200
