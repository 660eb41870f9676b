"""Versions that change between reading a manifest and answering with it."""

import grpc
import httpx
import pytest

from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer, label_for
from tests.gateway.conftest import StartGateway
from tests.gateway.raw_requests import read_response, sent
from tests.gateway.waiting import wait_until, wait_until_ready

NEW_LABELS = ("fern", "moss", "lichen")  # as many as before, so that a wrong manifest would not be noticed by shape


@pytest.fixture
def unaware(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that knows version 1 and does not look again."""
    gateway = start_gateway(poll_interval_seconds=3600, request_timeout_seconds=2)
    wait_until_ready(gateway)
    return gateway


def test_a_swap_between_reading_and_answering_is_labelled_right(
    unaware: httpx.Client, model_server: FakeModelServer
) -> None:
    """Requests whose manifest was read as version 1 and that version 2 answers have version 2's labels and digest."""
    images = [marked_image(number=number) for number in range(8)]
    with model_server.holding(), sent(unaware, *images) as connections:
        wait_until(lambda: model_server.calls.running == 8)
        digest = model_server.publish("flowers", 2, NEW_LABELS)
        model_server.withdraw("flowers", 1)
        model_server.release()
        responses = [read_response(connection) for connection in connections]
    for image, (status, body) in zip(images, responses, strict=True):
        assert (status, body["version"], body["digest"]) == (200, "2", digest)
        assert str(body).count(f"'label': '{label_for(image, NEW_LABELS)}'") >= 1
    assert model_server.calls.count("describe") == 2


@pytest.mark.parametrize(("code", "status"), [(grpc.StatusCode.INTERNAL, 502), (grpc.StatusCode.UNAVAILABLE, 503)])
def test_without_the_new_manifest_there_are_no_labels(
    unaware: httpx.Client, model_server: FakeModelServer, code: grpc.StatusCode, status: int
) -> None:
    """An answer of a version that cannot be described is an error, never labelled as another version's."""
    model_server.publish("flowers", 2, NEW_LABELS)
    model_server.refuse("describe", code)
    assert unaware.post("/v1/predict", content=marked_image()).status_code == status
    model_server.refuse("describe", grpc.StatusCode.OK)
    response = unaware.post("/v1/predict", content=marked_image()).json()
    assert response["predictions"][0]["label"] == label_for(marked_image(), NEW_LABELS)


def test_a_number_that_returns_as_another_model_between_looks(
    unaware: httpx.Client, model_server: FakeModelServer
) -> None:
    """A version that is answered by number is the one that was described under it: published versions never change."""
    before = unaware.post("/v1/predict?version=1", content=marked_image()).json()
    model_server.publish("flowers", 2, NEW_LABELS)
    after = unaware.post("/v1/predict?version=1", content=marked_image()).json()
    assert (before["digest"], before["predictions"]) == (after["digest"], after["predictions"])
