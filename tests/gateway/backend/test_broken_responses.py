"""Whatever the model server does to a call, its caller gets the documented status, in time and in its protocol."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import SECRET_WORDS, FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, label_in, send, sentence_in
from tests.gateway.waiting import wait_until, wait_until_ready

MISBEHAVIOUR = [
    ("STATUS:UNAVAILABLE", 503, "model_server_unavailable"),
    ("STATUS:RESOURCE_EXHAUSTED", 503, "model_server_busy"),
    ("STATUS:DEADLINE_EXCEEDED", 504, "model_server_timeout"),
    ("STATUS:CANCELLED", 502, "model_server_failed"),
    ("STATUS:DATA_LOSS", 502, "model_server_failed"),
    ("STATUS:UNIMPLEMENTED", 502, "model_server_failed"),
    ("HANG", 504, "model_server_timeout"),
    ("WITHOUT:probabilities", 502, "model_server_failed"),
    ("WITHOUT:valid", 502, "model_server_failed"),
    ("WRONG_DTYPE", 502, "model_server_failed"),
    ("WRONG_CLASSES", 502, "model_server_failed"),
    ("FEWER_ROWS", 502, "model_server_failed"),
    ("ROW_WITHOUT", 502, "model_server_failed"),
    ("MORE_ROWS", 502, "model_server_failed"),
    ("NAN", 502, "model_server_failed"),
    ("LARGE:300000", 413, "message_too_large"),
]
IN_EVERY_PROTOCOL = [
    entry
    for entry in MISBEHAVIOUR
    if entry[0].partition(":")[0] in {"STATUS", "HANG", "LARGE"} and entry[0] != "STATUS:UNIMPLEMENTED"  # a 501 there
]


@pytest.fixture
def impatient(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that waits 0.5 s for an answer of at most 200 kB, and never looks at versions again."""
    gateway = start_gateway(
        request_timeout_seconds=0.5,
        max_response_message_bytes=200_000,
        poll_interval_seconds=3600,
        circuit_failures=100,
    )
    wait_until_ready(gateway)
    return gateway


@pytest.fixture
def patient(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that waits ten seconds for an answer, as where no call hangs."""
    gateway = start_gateway(request_timeout_seconds=10, poll_interval_seconds=3600, circuit_failures=100)
    wait_until_ready(gateway)
    return gateway


def test_every_misbehaviour_has_its_status(impatient: httpx.Client) -> None:
    """Each way in which a call can go wrong is its own documented problem, soon, and without the server's words."""
    seen = []
    for mark, _, _ in MISBEHAVIOUR:
        started = time.monotonic()
        response = send(impatient, marked_image(mark))
        assert time.monotonic() - started < 10, mark
        assert sentence_in(response).endswith("."), mark
        assert [word for word in SECRET_WORDS if word in response.text] == [], mark
        assert ("retry-after" in response.headers) == (response.status_code == 503), mark
        seen.append((mark, response.status_code, response.json()["code"]))
    assert seen == MISBEHAVIOUR


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])
def test_every_misbehaviour_has_its_status_in_other_protocols(impatient: httpx.Client, protocol: str) -> None:
    """In the protocols without labels a call that fails has the same status, and the protocol's own shape."""
    seen = []
    for mark, _, code in IN_EVERY_PROTOCOL:
        response = send(impatient, marked_image(mark), protocol)
        assert sentence_in(response, protocol), mark
        assert [word for word in SECRET_WORDS if word in response.text] == [], mark
        seen.append((mark, response.status_code, code))
    assert seen == IN_EVERY_PROTOCOL


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_neighbours_of_failing_calls_get_their_own_answers(patient: httpx.Client, protocol: str) -> None:
    """Between calls that fail in every way, good ones on the same channel get the answer to their own image."""
    marks = [mark for mark, _, _ in MISBEHAVIOUR if mark not in {"STATUS:UNAVAILABLE", "HANG"}]
    images = [marked_image(marks[number // 2 % len(marks)] if number % 2 else "", number) for number in range(60)]
    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda image: send(patient, image, protocol), images))
    good = list(zip(images, responses, strict=True))[::2]
    assert [response.status_code for _, response in good] == [200] * 30
    assert [label_in(response, protocol) for _, response in good] == [label_for(image) for image, _ in good]


@pytest.mark.parametrize("mark", ["FEWER_ROWS", "ROW_WITHOUT", "MORE_ROWS"])
def test_rows_that_do_not_match_the_images_are_no_answer(impatient: httpx.Client, mark: str) -> None:
    """Of a batch whose answer has too few or too many rows nothing is passed on: nobody knows whose row is whose."""
    files = [("file", (str(number), marked_image(mark, number))) for number in range(3)]
    response = impatient.post("/v1/predict", files=files)
    assert (response.status_code, response.json()["code"]) == (502, "model_server_failed")


def test_a_version_that_vanishes_is_no_answer(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A version that is unloaded between status and call is a 503 for its model, and a 404 where it was named."""
    unnamed = send(own_gateway, marked_image("VANISH"))
    assert (unnamed.status_code, unnamed.json()["code"]) == (503, "model_not_loaded")
    model_server.publish("flowers", 1)
    wait_until_ready(own_gateway)
    named = own_gateway.post("/v1/predict?version=1", content=marked_image("VANISH"))
    assert (named.status_code, named.json()["code"]) == (404, "version_not_served")


def test_no_rows_are_no_call(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Without a single acceptable image the model server is not asked, whatever the protocol: zero rows abort it."""
    files = [("file", ("a", b"text")), ("file", ("b", b""))]
    assert own_gateway.post("/v1/predict", files=files).status_code == 200
    assert own_gateway.post("/v1/models/flowers:predict", json={"instances": []}).status_code in {200, 400}
    empty = {"name": "image_bytes", "shape": [0], "datatype": "BYTES", "data": []}
    assert own_gateway.post("/v2/models/flowers/infer", json={"inputs": [empty]}).status_code in {200, 400}
    assert model_server.calls.count("Predict") == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_without_a_description(
    start_gateway: StartGateway, model_server: FakeModelServer, protocol: str
) -> None:
    """A model of someone else's has no `describe`: the native API says so with 501, the other two answer."""
    model_server.publish("flowers", 1, describes=False)
    gateway = start_gateway()
    wait_until(lambda: model_server.calls.count("describe", "FAILED_PRECONDITION") == 1)
    image = marked_image()
    response = send(gateway, image, protocol)
    if protocol == "native":
        assert (response.status_code, response.json()["code"]) == (501, "model_not_described")
        assert "TensorFlow Serving" in sentence_in(response)
    else:
        assert (response.status_code, label_in(response, protocol)) == (200, label_for(image))
