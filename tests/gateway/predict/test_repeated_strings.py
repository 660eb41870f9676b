"""Whatever text a caller sends, its response can be written: half of a surrogate pair is not a failure of ours."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.raw_requests import exchange

HALVES = ("\ud800", "a\udfffb", "\udc80", "\ud83d\ud83d\ude00")
REQUESTS: tuple[tuple[str, Any], ...] = (
    ("/v1/predict", {"images": [{"b64": "iVBORw0KGgo=", "name": "a"}, {"b64": "!!", "name": "b"}], "other": "c"}),
    ("/v1/predict?model=flowers", {"images": [{"b64": "!!", "name": "b"}]}),
    ("/v1/models/flowers/predict", {"instances": ["a"], "signature_name": "b"}),
    ("/v1/models/flowers:predict", {"signature_name": "serving_default", "instances": [{"image_bytes": {"b64": ""}}]}),
    ("/v1/models/flowers:predict", {"signature_name": "a", "instances": ["b"]}),
    ("/v1/models/flowers:predict", {"inputs": {"image_bytes": ["a"]}}),
    ("/v1/models/flowers:classify", {"signature_name": "a", "examples": [{"b": "c"}], "context": {"d": ["e"]}}),
    ("/v1/models/flowers:regress", {"signature_name": "a", "examples": [{"b": {"b64": "c"}}]}),
    (
        "/v2/models/flowers/infer",
        {
            "id": "a",
            "parameters": {"signature_name": "b"},
            "inputs": [{"name": "image_bytes", "shape": [1], "datatype": "BYTES", "data": ["c"]}],
            "outputs": [{"name": "label"}],
        },
    ),
)


def replaced(content: Any, text: str) -> Iterator[Any]:
    """Yield the content with each of its keys and values replaced, one at a time."""
    if isinstance(content, dict):
        for key, value in content.items():
            rest = {name: other for name, other in content.items() if name != key}
            yield {**rest, text: value}
            yield from ({**rest, key: changed} for changed in replaced(value, text))
    elif isinstance(content, list):
        for at, value in enumerate(content):
            yield from ([*content[:at], changed, *content[at + 1 :]] for changed in replaced(value, text))
    else:
        yield text


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("path", "content"), REQUESTS)
def test_half_a_character_anywhere_is_answered(
    gateway: httpx.Client, path: str, content: Any, half: str, escaped: bool
) -> None:
    """A lone surrogate as any key or value, escaped or as bytes, gets a response in JSON that is no failure."""
    for changed in replaced(content, half):
        text = json.dumps(changed, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        response = gateway.post(path, content=text, headers={"Content-Type": "application/json"})
        assert response.status_code in {200, 400, 415, 422, 501}, changed
        response.json()


@pytest.mark.parametrize(
    "path",
    ["/v1/models/{}:predict", "/v1/models/{}", "/v1/models/{}/card", "/v2/models/{}", "/v2/models/{}/infer", "/{}"],
)
@given(name=st.binary(min_size=1, max_size=4), method=st.sampled_from(("GET", "POST", "PUT")))
def test_any_name_in_a_path_is_answered(gateway: httpx.Client, path: str, name: bytes, method: str) -> None:
    """Names of any bytes get a response in JSON, or 400 without one, from every protocol."""
    shown = "".join(f"%{byte:02x}" for byte in name)
    response = gateway.request(method, path.format(shown), content=b"{}" if method == "POST" else b"")
    assert response.status_code < 500
    assert response.status_code == 400 or response.json()


@pytest.mark.parametrize("header", ["X-Request-ID", "Content-Type", "traceparent", "X-API-Key", "Accept", "Host"])
@given(value=st.binary(max_size=6))
def test_any_header_is_answered(gateway: httpx.Client, header: str, value: bytes) -> None:
    """Headers of any bytes get a response that can be read, or the connection ends with 400."""
    host = b"" if header == "Host" else b"Host: x\r\n"
    lines = host + header.encode() + b": " + value + b"\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    received = exchange(gateway, b"POST /v1/predict HTTP/1.1\r\n" + lines)
    assert received.split(b" ")[1] in {b"400", b"415"}
    received.partition(b"\r\n\r\n")[2].decode()


@given(name=st.binary(max_size=8).filter(lambda raw: not set(raw) & {10, 13, 34, 92}))
def test_any_file_name_is_answered(gateway: httpx.Client, name: bytes) -> None:
    """File names of any bytes in a form get a response in JSON."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="' + name + b'"\r\n\r\nx\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = gateway.post("/v1/predict", content=part * 2 + b"--b--\r\n", headers=headers)
    assert response.status_code == 200
    assert [entry["error"]["code"] for entry in response.json()["predictions"]] == ["not_an_image"] * 2
