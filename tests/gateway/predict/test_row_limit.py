"""The setting max_images counts in every protocol: too many rows are refused before the model server hears of them."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.open_inference.requests import LENGTH_HEADER
from gateway.predict.model_signatures import TensorSpec
from gateway.predict.row_limit import refuse_many_rows
from tests.fakes.tensor_model_server import MODEL, TensorModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.waiting import wait_until_ready

MOST = 3
PIXELS = [[[1, 2, 3]] * 2] * 2
HUGE = 2**62


@pytest.fixture
def tensors() -> Iterator[TensorModelServer]:
    """A model server of the test's own, with inputs of every type."""
    server = TensorModelServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def gateway(tensors: TensorModelServer, start_gateway: StartGateway) -> httpx.Client:
    """A gateway before it that accepts three rows."""
    client = start_gateway(model_server=tensors.address, models=(MODEL,), max_images=MOST)
    wait_until_ready(client)
    return client


def send_json(gateway: httpx.Client, verb: str, body: dict[str, Any]) -> httpx.Response:
    """Send a body in TensorFlow Serving's protocol."""
    return gateway.post(f"/v1/models/{MODEL}:{verb}", json=body)


def infer(gateway: httpx.Client, signature: str, tensor: dict[str, Any], binary: bytes = b"") -> httpx.Response:
    """Send one tensor in the Open Inference Protocol, with binary data if there is any."""
    if binary:
        tensor = {**tensor, "parameters": {"binary_data_size": len(binary)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"signature_name": signature}}).encode()
    headers = {LENGTH_HEADER: str(len(head))}
    return gateway.post(f"/v2/models/{MODEL}/infer", content=head + binary, headers=headers)


def assert_too_many(response: httpx.Response, count: int) -> None:
    """The request is refused with 413, and a sentence that says how many are accepted and how many were seen."""
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/json"
    assert "At most 3 rows" in response.json()["error"]
    assert f"has {count}" in response.json()["error"]


ROWS = {
    "rows of empty strings": ("bytes", ""),
    "rows of images": ("bytes", {"b64": "AAAA"}),
    "rows of pixels": ("serving_default", PIXELS),
    "named rows": ("bytes", {"x": "a"}),
}


@pytest.mark.parametrize(("signature", "row"), ROWS.values(), ids=ROWS.keys())
def test_rows_of_instances(gateway: httpx.Client, tensors: TensorModelServer, signature: str, row: Any) -> None:
    """As many instances as are accepted are predicted; one more is not sent to the model server."""
    few, many = ({"signature_name": signature, "instances": [row] * count} for count in (MOST, MOST + 1))
    assert send_json(gateway, "predict", few).status_code == 200
    before = tensors.calls["Predict"]
    assert_too_many(send_json(gateway, "predict", many), MOST + 1)
    assert tensors.calls["Predict"] == before


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("signature", "name", "row"), [("bytes", "x", ""), ("serving_default", "pixels", PIXELS)])
def test_columns(gateway: httpx.Client, signature: str, name: str, row: Any, named: bool) -> None:
    """The inputs of the column format are counted by their first dimension, with their name and without."""
    for count in (MOST, MOST + 1):
        column = [row] * count
        response = send_json(
            gateway, "predict", {"signature_name": signature, "inputs": {name: column} if named else column}
        )
        if count > MOST:
            assert_too_many(response, count)
        else:
            assert response.status_code == 200


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_examples(gateway: httpx.Client, verb: str) -> None:
    """Examples are rows, too; this model server has no such method, so that many as are accepted reach it."""
    assert_too_many(send_json(gateway, verb, {"examples": [{"x": 1.0}] * (MOST + 1)}), MOST + 1)
    assert_too_many(send_json(gateway, verb, {"context": {"y": 1}, "examples": [{}] * 1000}), 1000)
    assert send_json(gateway, verb, {"examples": [{"x": 1.0}] * MOST}).status_code == 501


@pytest.mark.parametrize(
    ("signature", "tensor"),
    [
        ("bytes", {"name": "x", "datatype": "BYTES"}),
        ("serving_default", {"name": "pixels", "datatype": "UINT8"}),
    ],
)
@pytest.mark.parametrize("count", [MOST + 1, 20_000, HUGE])
def test_shapes_that_declare_too_much(
    gateway: httpx.Client, tensors: TensorModelServer, signature: str, tensor: dict[str, Any], count: int
) -> None:
    """A shape of too many rows is refused by what it declares, whether the values are there or not."""
    shape = [count, 2, 2, 3] if signature == "serving_default" else [count]
    value = "" if tensor["datatype"] == "BYTES" else 1
    assert_too_many(infer(gateway, signature, {**tensor, "shape": shape, "data": [value]}), count)
    assert_too_many(infer(gateway, signature, {**tensor, "shape": shape}, b"\0\0\0\0"), count)
    assert tensors.calls["Predict"] == 0


def test_as_many_rows_as_are_accepted(gateway: httpx.Client) -> None:
    """Three rows of pixels and of strings are predicted, as JSON and as binary data."""
    strings = {"name": "x", "datatype": "BYTES", "shape": [MOST]}
    assert infer(gateway, "bytes", {**strings, "data": ["a"] * MOST}).status_code == 200
    assert infer(gateway, "bytes", strings, struct.pack("<I", 0) * MOST).status_code == 200
    pixels = {"name": "pixels", "datatype": "UINT8", "shape": [MOST, 2, 2, 3]}
    assert infer(gateway, "serving_default", pixels, bytes(MOST * 12)).status_code == 200


def test_numbers_and_vectors_are_not_images(gateway: httpx.Client) -> None:
    """A thousand numbers or vectors are predicted, as by TensorFlow Serving; what is only declared is refused."""
    for signature, row in (("fp32", 1.5), ("anything", 1.5), ("two", {"a": [1, 2], "b": 1})):
        response = send_json(gateway, "predict", {"signature_name": signature, "instances": [row] * 1000})
        assert response.status_code == 200
        assert len(response.json()["predictions"]) == 1000
    lying = {"name": "x", "datatype": "FP32", "shape": [20_000], "data": [1]}
    assert infer(gateway, "fp32", lying).status_code == 400
    assert infer(gateway, "fp32", {**lying, "data": None}, b"\0\0\0\0").status_code == 400


@pytest.mark.parametrize("shape", [[1, HUGE, HUGE, HUGE], [3, HUGE, 4, 3]])
def test_the_product_of_a_shape_overflows_nothing(gateway: httpx.Client, shape: list[int]) -> None:
    """A shape whose product no integer of a machine holds is refused in words; it is never allocated."""
    response = infer(gateway, "anything", {"name": "x", "datatype": "FP32", "shape": shape, "data": [1]})
    assert response.status_code == 400
    assert "has 1 elements" in response.json()["error"]


def test_more_strings_than_declared_are_not_read(gateway: httpx.Client) -> None:
    """Millions of empty strings for a shape of one are refused at the second."""
    declared = {"name": "x", "datatype": "BYTES", "shape": [1]}
    response = infer(gateway, "bytes", declared, struct.pack("<I", 0) * 2_000_000)
    assert response.status_code == 400
    assert "more elements than its shape [1] has room for" in response.json()["error"]


def test_sizes_that_the_model_fixes_are_not_rows(gateway: httpx.Client) -> None:
    """Only the first dimension counts, and only where it may vary: twelve pixels of one row are one row."""
    pixels = {"name": "pixels", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [7] * 12}
    assert infer(gateway, "serving_default", pixels).status_code == 200
    anything = {"name": "x", "datatype": "FP32", "shape": [1, 50], "data": [7] * 50}
    assert infer(gateway, "anything", anything).status_code == 200
    fixed = {"x": TensorSpec("STRING", 7, (100, -1)), "scalar": TensorSpec("STRING", 7, ())}
    refuse_many_rows({"x": 100, "scalar": 100, "unknown": 100}, fixed, MOST)
