"""What the Open Inference Protocol refuses before it asks, and how it says so."""

import base64
import json
import struct
from typing import Any

import httpx
import pytest

from gateway.open_inference.requests import LENGTH_HEADER
from tests.fakes.model_server import FakeModelServer, label_for
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until

INFER = "/v2/models/flowers/infer"
IMAGE = draw()
IMAGE_TEXT = base64.b64encode(IMAGE).decode()
INPUT = {"name": "image_bytes", "datatype": "BYTES", "shape": [1]}


def body_with(**changes: Any) -> dict[str, Any]:
    """Return a request about one image of which the input is changed; None takes a key away."""
    changed = {**INPUT, "data": [IMAGE_TEXT], **changes}
    return {"inputs": [{key: value for key, value in changed.items() if value is not None}]}


def rejection(response: httpx.Response) -> tuple[int, str]:
    """Return status and sentence of a refusal in the protocol's shape."""
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


def post(gateway: httpx.Client, head: dict[str, Any] | bytes, binary: bytes = b"", length: str | None = None) -> Any:
    """Send a request with a binary part; `length` replaces the true length of its JSON part."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return gateway.post(INFER, content=text + binary, headers={LENGTH_HEADER: length or str(len(text))})


def binary_request(
    *elements: bytes, shape: list[int] | None = None, extra: bytes = b""
) -> tuple[dict[str, Any], bytes]:
    """Return a request with these elements as binary data, which `extra` follows without being announced."""
    raw = b"".join(struct.pack("<I", len(element)) + element for element in elements)
    parameters = {"binary_data_size": len(raw)}
    return body_with(data=None, shape=shape or [len(elements)], parameters=parameters), raw + extra


def test_a_text_is_answered_as_json(gateway: httpx.Client) -> None:
    """A request that is nothing but JSON is answered with nothing but JSON, and without an id if it had none."""
    response = gateway.post(INFER, json=body_with())
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert LENGTH_HEADER not in response.headers
    said = response.json()
    assert list(said) == ["model_name", "model_version", "outputs"]
    outputs = {output["name"]: output for output in said["outputs"]}
    assert list(outputs) == sorted(outputs)
    label = label_for(IMAGE)
    assert outputs["label"] == {"name": "label", "datatype": "BYTES", "shape": [1], "data": [label]}


def test_what_the_protocol_leaves_open_may_be_null_or_unknown(gateway: httpx.Client) -> None:
    """Optional keys may be null, and keys of other servers' extensions are left alone."""
    body = body_with(parameters={"content_type": "str"})
    body.update(id=None, outputs=None, parameters={"priority": 3, "sequence_id": 0}, extension={"any": ["thing"]})
    response = gateway.post(INFER, json=body)
    assert response.status_code == 200
    assert "id" not in response.json()


@pytest.mark.parametrize(
    ("length", "sentence"),
    [
        ("1000000", "is 1000000, but the body has only"),
        ("-1", "must be the number of bytes of the JSON object, not '-1'"),
        ("12.5", "not '12.5'"),
        ("many", "not 'many'"),
        ("9" * 5000, "must be the number of bytes"),
    ],
)
def test_a_malformed_length_header_is_refused(gateway: httpx.Client, length: str, sentence: str) -> None:
    """The header has to be a number of bytes that the body has."""
    head, binary = binary_request(b"an image")
    status, seen = rejection(post(gateway, head, binary, length))
    assert status == 400
    assert seen.startswith(LENGTH_HEADER)
    assert sentence in seen


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 5000, "nested deeper than the 300 levels"),
        (b'{"inputs": [{"name": "\\ud800"}]}', "not valid JSON"),
        (b"[]", "at its top level"),
        (b"{}", "at inputs: field required."),
        (b'{"inputs": {}}', "at inputs:"),
        (b'{"inputs": [1]}', "at inputs.0:"),
        (b'{"inputs": [{"name": "x", "datatype": "FP32"}]}', "at inputs.0.shape: field required."),
        (b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}]}', "at inputs.0.shape.0:"),
        (b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1.5]}]}', "at inputs.0.shape.0:"),
        (b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [9223372036854775808]}]}', "at inputs.0.shape.0:"),
        (b'{"inputs": [], "id": 7}', "at id:"),
        (b'{"inputs": [], "parameters": {"signature_name": 1}}', "at parameters.signature_name:"),
        (b'{"inputs": [], "parameters": {"binary_data_output": "yes"}}', "at parameters.binary_data_output:"),
        (b'{"inputs": [], "outputs": [{}]}', "at outputs.0.name:"),
        (b'{"inputs": []}', "The request lacks the input image_bytes."),
        (b'{"inputs": [], "parameters": {"sequence_id": [7]}}', "Sequences are not supported"),
        (
            b'{"inputs": [], "outputs": [{"name": "label", "parameters": {"classification": 3}}]}',
            "The classification extension is not supported",
        ),
        (
            b'{"inputs": [], "outputs": [{"name": "label", "parameters": {"shared_memory_region": "r"}}]}',
            "Shared memory is not supported",
        ),
    ],
)
def test_a_body_that_is_no_inference_request_is_refused(gateway: httpx.Client, body: bytes, sentence: str) -> None:
    """What is no JSON, or no request, is 400; the sentence says where it is wrong, and shows nothing of its content."""
    status, seen = rejection(gateway.post(INFER, content=body))
    assert status == 400
    assert sentence in seen
    assert len(seen) < 200


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": None}, "needs either data or binary_data_size."),
        ({"data": ["a", "b"]}, "has 2 elements; its shape [1] has room for 1."),
        ({"data": []}, "has 0 elements; its shape [1] has room for 1."),
        ({"data": [["a"]]}, "must hold BYTES values, not a list."),
        ({"data": [{"b64": "YQ=="}]}, "must hold BYTES values, not {'b64': 'YQ=='}."),
        ({"shape": [0], "data": []}, "has no rows; send at least one."),
        ({"shape": [1, 1]}, "has the shape [1, 1]; the model expects [-1]."),
        ({"shape": [64]}, "has 1 elements; its shape [64] has room for 64."),
        ({"datatype": "FP32", "data": [1]}, "must be BYTES, not FP32."),
        ({"name": "x" * 1000}, f"The model has no input {'x' * 50}; it has: image_bytes."),
        ({"parameters": {"shared_memory_region": "r"}}, "Shared memory is not supported"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(gateway: httpx.Client, changes: dict[str, Any], sentence: str) -> None:
    """An input whose parts do not fit each other or the model is 400."""
    status, seen = rejection(gateway.post(INFER, json=body_with(**changes)))
    assert status == 400
    assert sentence in seen


def test_an_input_given_twice_is_refused(gateway: httpx.Client) -> None:
    """Two inputs of the same name are 400: one of them would be lost."""
    body = {"inputs": body_with()["inputs"] * 2}
    assert rejection(gateway.post(INFER, json=body)) == (400, "The input image_bytes is given twice.")


@pytest.mark.parametrize(
    ("head", "binary", "sentence"),
    [
        (*binary_request(b"one", b"two", shape=[1]), "has more elements than its shape [1] has room for."),
        (*binary_request(b"one", shape=[2]), "has 1 elements; its shape [2] has room for 2."),
        (*binary_request(b"one", extra=b"more"), "declare 7 bytes of binary data; 11 were sent."),
        (binary_request(b"one")[0], b"", "declare 7 bytes of binary data; 0 were sent."),
        (
            body_with(data=None, parameters={"binary_data_size": 3}),
            b"\1\0\0",
            "The element 0 of the input image_bytes ends 1 bytes past",
        ),
        (
            body_with(data=None, parameters={"binary_data_size": 6}),
            b"\5\0\0\0ab",
            "The element 0 of the input image_bytes ends 3 bytes past",
        ),
        (body_with(parameters={"binary_data_size": 0}), b"", "needs either data or binary_data_size."),
        (body_with(), b"left over", "declare 0 bytes of binary data; 9 were sent."),
    ],
)
def test_binary_data_that_does_not_fit_is_refused(
    gateway: httpx.Client, head: dict[str, Any], binary: bytes, sentence: str
) -> None:
    """Binary data has to be as long as announced, and to hold as many elements as the shape says."""
    status, seen = rejection(post(gateway, head, binary))
    assert status == 400
    assert sentence in seen


def test_binary_data_without_the_header_is_refused(gateway: httpx.Client) -> None:
    """Without the header all of the body is JSON, so binary data behind it is 400."""
    head, binary = binary_request(b"an image")
    status, _ = rejection(gateway.post(INFER, content=json.dumps(head).encode() + binary))
    assert status == 400


@pytest.mark.parametrize("version", ["latest", "-1", "1.0", str(2**63), "9" * 5000, "%F0%9D%9F%99"])
@pytest.mark.parametrize("path", ["", "/ready"])
def test_a_version_that_is_no_number_is_refused(gateway: httpx.Client, version: str, path: str) -> None:
    """A version in the path has to be an int64."""
    status, sentence = rejection(gateway.get(f"/v2/models/flowers/versions/{version}{path}"))
    assert status == 400
    assert sentence.startswith("A version is a whole number up to 9223372036854775807, not '")


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/models/flowers/nothing", "/v2/models", "/v2/"])
def test_other_paths_are_not_found(gateway: httpx.Client, path: str) -> None:
    """What the protocol does not have is 404 in the protocol's shape."""
    assert rejection(gateway.get(path))[0] == 404


def test_another_method_is_refused(gateway: httpx.Client) -> None:
    """A method that a path does not have is 405 in the protocol's shape."""
    assert rejection(gateway.get(INFER))[0] == 405


@pytest.mark.parametrize("path", ["", "/ready", "/versions/1", "/versions/1/ready"])
def test_a_model_that_is_not_there_is_not_found(gateway: httpx.Client, path: str) -> None:
    """An unknown model is 404 everywhere."""
    assert rejection(gateway.get(f"/v2/models/nosuch{path}"))[0] == 404


def test_no_request_without_rows_reaches_the_model_server(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """Zero rows would end a TensorFlow Serving with allowed batch sizes, so they are not handed on in any form."""
    seen = len(model_server.predict_requests)
    assert own_gateway.post(INFER, json=body_with(shape=[0], data=[])).status_code == 400
    assert post(own_gateway, *binary_request(shape=[0])).status_code == 400
    assert len(model_server.predict_requests) == seen


def test_only_what_is_wanted_is_asked_for(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """The wanted outputs are the model server's filter, and it is asked for its latest version unless one is named."""
    body = {**body_with(), "outputs": [{"name": "valid"}, {"name": "label"}]}
    response = own_gateway.post(INFER, json=body)
    assert [output["name"] for output in response.json()["outputs"]] == ["valid", "label"]
    called = model_server.predict_requests[-1]
    assert list(called.output_filter) == ["valid", "label"]
    assert not called.model_spec.HasField("version")
    own_gateway.post("/v2/models/flowers/versions/1/infer", json=body)
    assert model_server.predict_requests[-1].model_spec.version.value == 1


def test_while_stopping_nothing_is_ready(start_gateway: StartGateway) -> None:
    """A gateway that is stopping is live, but neither it nor its model is ready."""
    gateway = start_gateway(lambda app: setattr(app.state, "stopping", True))
    assert gateway.get("/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/flowers/ready"):
        assert rejection(gateway.get(path)) == (503, "The gateway is stopping.")


def test_without_versions_nothing_is_ready(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A gateway whose model has no version is live, but neither it nor the model is ready."""
    gateway = start_gateway()
    wait_until(lambda: gateway.get("/v2/health/ready").status_code == 200)
    model_server.withdraw("flowers", 1)
    wait_until(lambda: gateway.get("/v2/health/ready").status_code == 503)
    assert gateway.get("/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/flowers/ready", "/v2/models/flowers/versions/1/ready"):
        assert rejection(gateway.get(path))[0] == 503


def test_a_model_that_does_not_describe_itself_is_answered(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """A model without a manifest is ready and answers here, though the native API cannot label it."""
    model_server.publish("flowers", 1, describes=False)
    gateway = start_gateway()
    wait_until(lambda: gateway.get("/v2/models/flowers/ready").status_code == 200)
    assert gateway.post(INFER, json=body_with()).status_code == 200


@pytest.mark.parametrize("text", [IMAGE_TEXT, f"data:image/jpeg;base64,{IMAGE_TEXT}", IMAGE_TEXT.rstrip("=")])
def test_base64_of_an_image_is_taken(own_gateway: httpx.Client, text: str) -> None:
    """An image as text in JSON, as clients of KServe send it, is predicted: JSON can hold it in no other way."""
    outputs = {each["name"]: each for each in own_gateway.post(INFER, json=body_with(data=[text])).json()["outputs"]}
    assert (outputs["label"]["data"], outputs["valid"]["data"]) == ([label_for(IMAGE)], [True])


@pytest.mark.parametrize(
    "text", ["", "rose.jpg", "an image", "aGVsbG8=", "\u0089PNG", "data:image/jpeg;base64,aGVsbG8="]
)
def test_text_that_is_no_image_is_refused(own_gateway: httpx.Client, text: str) -> None:
    """Text where an image belongs is 400 with what to send; no model is asked, and no empty label comes back."""
    status, seen = rejection(own_gateway.post(INFER, json=body_with(data=[text])))
    assert status == 400
    assert "is not base64 of one; send base64 of a JPEG, PNG, BMP or WebP, or its bytes as binary data" in seen


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [IMAGE_TEXT]},
        {"instances": [{"image_bytes": "rose.jpg"}]},
        {"instances": [{"b64": IMAGE_TEXT}, "text"]},
        {"inputs": [IMAGE_TEXT]},
        {"inputs": {"image_bytes": [IMAGE_TEXT]}},
    ],
)
def test_text_as_an_image_is_refused_in_the_other_protocol(own_gateway: httpx.Client, body: dict[str, Any]) -> None:
    """TensorFlow Serving's REST API has `b64` for images; text is 400, with that."""
    response = own_gateway.post("/v1/models/flowers:predict", json=body)
    assert response.status_code == 400
    assert 'send the base64 of an image as {"b64": "..."}' in response.json()["error"]
