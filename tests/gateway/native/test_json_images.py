"""Images in a JSON body, as base64 in any of its common forms."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.fakes.model_server import label_for
from tests.gateway.images import draw

IMAGE = draw("PNG")
STANDARD = base64.b64encode(IMAGE).decode()


def post(gateway: httpx.Client, content: Any, path: str = "/v1/predict") -> httpx.Response:
    """Send a JSON body."""
    return gateway.post(path, json=content)


@pytest.mark.parametrize(
    "text",
    [
        STANDARD,
        STANDARD.rstrip("="),
        base64.urlsafe_b64encode(IMAGE).decode(),
        base64.urlsafe_b64encode(IMAGE).decode().rstrip("="),
        f"data:image/png;base64,{STANDARD}",
        f"data:image/png;charset=utf-8;base64,{STANDARD}",
        base64.encodebytes(IMAGE).decode(),
    ],
)
def test_every_common_form_of_base64_is_read(gateway: httpx.Client, text: str) -> None:
    """Standard and URL-safe alphabet, with or without padding, data URLs and broken lines are the same image."""
    response = post(gateway, {"images": [{"b64": text}]})
    assert response.status_code == 200
    assert response.json()["predictions"][0]["label"] == label_for(IMAGE)


def test_a_model_of_the_path_is_asked(gateway: httpx.Client) -> None:
    """The path with a model's name takes the same bodies, and an unknown name is a 404."""
    assert post(gateway, {"images": [{"b64": STANDARD}]}, "/v1/models/flowers/predict").status_code == 200
    refused = post(gateway, {"images": [{"b64": STANDARD}]}, "/v1/models/weeds/predict")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")


@pytest.mark.parametrize(
    ("text", "seen"),
    [("a%b=", "'%'"), ("abcde", "5 characters"), ("äöü", "'ä'"), ("", "0 bytes")],
)
def test_what_is_no_base64_hurts_no_other_image(gateway: httpx.Client, text: str, seen: str) -> None:
    """The entry of a text that is no base64 says which it is and what was seen; the others have their answers."""
    images = [{"b64": STANDARD}, {"b64": text, "name": "odd.png"}, {"b64": STANDARD}]
    first, odd, last = post(gateway, {"images": images}).json()["predictions"]
    assert first["label"] == last["label"] == label_for(IMAGE)
    assert odd["error"]["name"] == "odd.png"
    assert seen in odd["error"]["detail"]


def test_a_single_image_that_is_no_base64_is_the_answer(gateway: httpx.Client) -> None:
    """Where it is the only image, its refusal is the answer's status."""
    response = post(gateway, {"images": [{"b64": "%"}]})
    assert (response.status_code, response.json()["code"]) == (400, "bad_encoding")
    assert "Image 1 is not base64" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "seen"),
    [
        (b"{", 400, "at character 1"),
        (b"\xff", 400, "UTF-8"),
        (b"[]", 400, '{"images"'),
        (b'{"images": {}}', 400, '{"images"'),
        (b'{"images": []}', 400, "empty"),
        (b'{"images": ["aGk="]}', 400, "Image 1"),
        (b'{"images": [{"b64": "aGk="}, {"b64": 5}]}', 400, "Image 2"),
        (b'{"images": [{"b64": "aGk=", "name": 5}]}', 400, "Image 1"),
        (b'{"images": %s1%s}' % (b"[" * 300, b"]" * 300), 400, "nested deeper than the 300 levels"),
        (b"[" * 100_000, 400, "nested deeper than the 300 levels"),
        (b'"%s"' % (b"x" * 9_000_000), 413, "9000002 bytes; at most 8388608"),
        (b'{"images": %s}' % (b"1" * 5000), 400, "too many digits"),
        (json.dumps({"images": [{"b64": "aGk="}] * 65}).encode(), 413, "At most 64"),
    ],
)
def test_a_body_of_another_shape_is_refused(gateway: httpx.Client, body: bytes, status: int, seen: str) -> None:
    """What is no JSON, or no such JSON, is refused with what it should be, however deeply it is nested."""
    response = gateway.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert seen in response.json()["detail"]


def test_brackets_in_texts_are_not_depth(gateway: httpx.Client) -> None:
    """A file name full of brackets and escaped quotes does not count as nesting."""
    images = [{"b64": STANDARD, "name": '[{"' * 100}]
    assert post(gateway, {"images": images}).status_code == 200


def test_a_request_of_the_other_protocol_is_told_so_in_its_shape(gateway: httpx.Client) -> None:
    """TensorFlow's body on the native path gets TensorFlow Serving's answer to that path."""
    response = post(gateway, {"instances": [{"b64": STANDARD}]}, "/v1/models/flowers/predict")
    assert response.status_code == 400
    assert response.json() == {"error": "Malformed request: POST /v1/models/flowers/predict"}
