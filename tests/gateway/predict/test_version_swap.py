"""A new version may be published, and the old one withdrawn, while requests are running."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.fakes.model_server import LABELS, FakeModelServer, label_for
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until, wait_until_ready

NEW_LABELS = ("fern", "moss")


def test_answers_of_a_new_version_have_its_labels(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A version that the gateway has not noticed yet is described on demand: its answers have its labels."""
    gateway = start_gateway(poll_interval_seconds=3600)
    wait_until_ready(gateway)
    digest = model_server.publish("flowers", 2, NEW_LABELS)
    model_server.withdraw("flowers", 1)
    response = gateway.post("/v1/predict", content=draw()).json()
    assert (response["version"], response["digest"]) == ("2", digest)
    assert response["predictions"][0]["label"] == label_for(draw(), NEW_LABELS)


def test_a_swap_under_load_loses_and_mislabels_nothing(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """While requests run, version 2 replaces version 1: every answer has the labels of the version it names."""
    swapped = threading.Event()
    image = draw()

    def send(number: int) -> Any:
        if number == 40:
            model_server.publish("flowers", 2, NEW_LABELS)
            model_server.withdraw("flowers", 1)
            swapped.set()
        return own_gateway.post("/v1/predict", content=image).json()

    with ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(send, range(120)))
    assert swapped.is_set()
    expected = {"1": label_for(image, LABELS), "2": label_for(image, NEW_LABELS)}
    assert [response["predictions"][0]["label"] for response in responses] == [
        expected[response["version"]] for response in responses
    ]
    assert {response["version"] for response in responses} == {"1", "2"}


def test_an_answer_on_its_way_keeps_its_version(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """An answer of a version that is gone when it arrives is labelled as that version's."""
    image = draw(mark=b"SLEEP:1 ")
    before = len(model_server.predict_requests)

    def version_1_is_gone() -> bool:
        states = own_gateway.get("/v1/models").json()["models"][0]["versions"]
        return [state["state"] for state in states] == ["END", "AVAILABLE"]

    with ThreadPoolExecutor(1) as thread:
        called = thread.submit(own_gateway.post, "/v1/predict", content=image)
        wait_until(lambda: len(model_server.predict_requests) > before)
        model_server.publish("flowers", 2, NEW_LABELS)
        model_server.withdraw("flowers", 1)
        wait_until(version_1_is_gone)
        response = called.result().json()
    assert response["version"] == "1"
    assert response["predictions"][0]["label"] == label_for(image, LABELS)


def test_a_number_that_returns_is_described_anew(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A version that was withdrawn and comes back as another model has the new labels."""
    model_server.withdraw("flowers", 1)
    wait_until(lambda: own_gateway.get("/readyz").status_code == 503)
    model_server.publish("flowers", 1, NEW_LABELS)
    wait_until_ready(own_gateway)
    response = own_gateway.post("/v1/predict", content=draw()).json()
    assert response["predictions"][0]["label"] in NEW_LABELS


def test_an_old_version_that_is_gone_is_not_served(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """After a swap the old version, asked for by number, is a 404."""
    model_server.publish("flowers", 2, NEW_LABELS)
    model_server.withdraw("flowers", 1)
    response = own_gateway.post("/v1/predict?version=1", content=draw())
    assert (response.status_code, response.json()["code"]) == (404, "version_not_served")
