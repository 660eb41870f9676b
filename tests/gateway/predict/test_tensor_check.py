"""No tensor that does not fit the model's signature reaches the model server, whatever protocol it comes by.

A model server that batches would run it together with other callers' tensors, and all of them would fail.
"""

import ast
import base64
import json
import math
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gateway as package
from contract import serving_messages as messages
from contract.manifest import SignatureSpec, SignatureTensor
from gateway.errors import BadTensorError
from gateway.predict.model_signatures import Signature, TensorSpec
from gateway.predict.tensor_check import check_tensors
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.fakes.tensor_model_server import MODEL, TensorModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, send
from tests.gateway.waiting import wait_until, wait_until_ready

INFER, PREDICT = f"/v2/models/{MODEL}/infer", f"/v1/models/{MODEL}:predict"
ENCODED = {"b64": base64.b64encode(marked_image()).decode()}

# what each signature of the fake takes, written down a second time: datatype, dtype and shape of each input
SIGNATURES: dict[str, dict[str, tuple[str, str, tuple[int, ...]]]] = {
    "serving_default": {"pixels": ("UINT8", "DT_UINT8", (-1, 2, 2, 3))},
    "two": {"a": ("FP32", "DT_FLOAT", (-1, 2)), "b": ("INT64", "DT_INT64", (-1,))},
    "bytes": {"x": ("BYTES", "DT_STRING", (-1,))},
    "fp32": {"x": ("FP32", "DT_FLOAT", (-1,))},
    "int32": {"x": ("INT32", "DT_INT32", (-1,))},
}

Inputs = dict[str, tuple[str, tuple[int, ...]]]
"""The datatype and the shape of what is sent, by name."""

_NAMES = ("pixels", "a", "b", "x", "other")
_DATATYPES = ("UINT8", "FP32", "INT64", "BYTES", "INT32")
_FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Inputs]:
    """Draw a signature and inputs, as it declares them or not."""
    signature = draw(st.sampled_from(sorted(SIGNATURES)))
    rows = draw(st.integers(1, 3))
    inputs = {
        name: (datatype, tuple(rows if size == -1 else size for size in shape))
        for name, (datatype, _, shape) in SIGNATURES[signature].items()
    }
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(inputs) or ["x"]))
        datatype, shape = inputs.get(name, ("FP32", (1,)))
        change = draw(st.sampled_from(["rank", "lower", "size", "rows", "datatype", "name", "missing"]))
        if change == "rank":
            inputs[name] = (datatype, (*shape, 1) if draw(st.booleans()) else (1, *shape))
        elif change == "lower":
            inputs[name] = (datatype, shape[1:])
        elif change == "size" and shape:
            at = draw(st.integers(0, len(shape) - 1))
            inputs[name] = (datatype, (*shape[:at], draw(st.integers(0, 4)), *shape[at + 1 :]))
        elif change == "rows":
            inputs[name] = (datatype, (draw(st.integers(0, 4)), *shape[1:]))
        elif change == "datatype":
            inputs[name] = (draw(st.sampled_from(_DATATYPES)), shape)
        elif change == "name":
            inputs[draw(st.sampled_from(_NAMES))] = inputs.pop(name, (datatype, shape))
        elif change == "missing":
            inputs.pop(name, None)
    return signature, inputs


def values_of(datatype: str, shape: tuple[int, ...]) -> Any:
    """Return nested lists of a shape."""
    if not shape:
        return "text" if datatype == "BYTES" else 1
    return [values_of(datatype, shape[1:]) for _ in range(shape[0])]


def infer_body(signature: str, inputs: Inputs) -> dict[str, Any]:
    """Return a request of the Open Inference Protocol."""
    tensors = [
        {
            "name": name,
            "datatype": datatype,
            "shape": list(shape),
            "data": ["text" if datatype == "BYTES" else 1] * math.prod(shape),
        }
        for name, (datatype, shape) in inputs.items()
    ]
    return {"inputs": tensors, "parameters": {"signature_name": signature}}


def columns_body(signature: str, inputs: Inputs) -> dict[str, Any]:
    """Return a request in TensorFlow Serving's column format."""
    return {"signature_name": signature, "inputs": {name: values_of(*given) for name, given in inputs.items()}}


def rows_body(signature: str, inputs: Inputs) -> dict[str, Any]:
    """Return the same in row format, with as many rows as the first input has."""
    count = next((shape[0] for _, shape in inputs.values() if shape), 1)
    row = {name: values_of(datatype, shape[1:]) for name, (datatype, shape) in inputs.items()}
    return {"signature_name": signature, "instances": [row] * count}


def fits(request: Any) -> bool:
    """Return whether a PredictRequest is what its signature takes, by the table above."""
    wanted = SIGNATURES[request.model_spec.signature_name or "serving_default"]
    if not {"a"} <= request.inputs.keys() <= {"a", "b"} and request.inputs.keys() != wanted.keys():
        return False
    rows = set()
    for name, tensor in request.inputs.items():
        _, dtype, shape = wanted[name]
        seen = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.dtype != messages.DataType[dtype].number or len(seen) != len(shape):
            return False
        if any(free not in {size, -1} for size, free in zip(seen, shape, strict=True)) or not seen[0]:
            return False
        rows.add(seen[0])
    return len(rows - {1}) <= 1


def is_right(signature: str, inputs: Inputs) -> bool:
    """Return whether inputs are exactly what the signature declares, with one number of rows."""
    wanted = SIGNATURES[signature]
    return (
        inputs.keys() == wanted.keys()
        and len({shape[:1] for _, shape in inputs.values()}) == 1
        and all(
            datatype == wanted[name][0]
            and shape[:1] not in {(), (0,)}
            and shape[1:] == wanted[name][2][1:]
            and len(shape) == len(wanted[name][2])
            for name, (datatype, shape) in inputs.items()
        )
    )


@_FEW
@given(drawn=requests())
def test_what_reaches_the_model_server_fits(
    tensor_gateway: httpx.Client, tensor_server: TensorModelServer, drawn: tuple[str, Inputs]
) -> None:
    """Of requests right and wrong, in three forms, those that fit reach it; others get 400, or no rows for no rows."""
    signature, inputs = drawn
    for path, body in (
        (INFER, infer_body(*drawn)),
        (PREDICT, columns_body(*drawn)),
        (PREDICT, rows_body(*drawn)),
    ):
        tensor_server.predict_requests.clear()
        response = tensor_gateway.post(path, json=body)
        assert response.status_code in {200, 400}, response.text
        assert all(map(fits, tensor_server.predict_requests)), body
        if is_right(signature, inputs):
            assert response.status_code == 200, response.text
            assert len(tensor_server.predict_requests) == 1
        elif response.status_code == 400:
            assert not tensor_server.predict_requests
            assert len(response.json()["error"]) < 600


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [[ENCODED]]},
        {"instances": [[ENCODED, ENCODED]]},
        {"instances": [{"image_bytes": [ENCODED]}]},
        {"inputs": ENCODED},
        {"inputs": [[ENCODED]]},
        {"inputs": {"image_bytes": [[[ENCODED]]]}},
        {"instances": [1.5]},
        {"instances": [{"image_bytes": 7}]},
        {"inputs": {"image_bytes": [True]}},
        {"inputs": {"other": [ENCODED]}},
    ],
)
def test_an_image_of_another_rank_or_type(
    own_gateway: httpx.Client, model_server: FakeModelServer, body: dict[str, Any]
) -> None:
    """Images in a list too many, or none, and numbers instead of images, are 400 in words and never sent."""
    response = own_gateway.post("/v1/models/flowers:predict", json=body)
    assert response.status_code == 400
    assert "image_bytes" in response.text or "string" in response.text
    assert model_server.calls.count() == 0


def test_binary_tensors_of_another_rank(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """So are the binary tensors of the Open Inference Protocol, whatever follows the JSON."""
    content = marked_image()
    raw = struct.pack("<I", len(content)) + content
    for shape in ([], [1, 1], [1, 1, 1]):
        declared = {"name": "image_bytes", "datatype": "BYTES", "shape": shape}
        head = json.dumps({"inputs": [{**declared, "parameters": {"binary_data_size": len(raw)}}]}).encode()
        response = own_gateway.post(
            "/v2/models/flowers/infer",
            content=head + raw,
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
        assert response.status_code == 400
        assert f"has the shape {shape}; the model expects [-1]." in response.json()["error"]
    assert model_server.calls.count() == 0


@pytest.mark.parametrize(
    ("dtype", "shape"), [("uint8", (None, 8, 8, 3)), ("string", (None, None)), ("string", ()), ("string", (8,))]
)
def test_native_images_for_a_model_that_takes_none(
    own_gateway: httpx.Client, model_server: FakeModelServer, dtype: str, shape: tuple[int | None, ...]
) -> None:
    """The native protocol sends images only to a version whose manifest declares that it takes a list of them."""
    takes = SignatureSpec(inputs={"image_bytes": SignatureTensor(dtype=dtype, shape=shape)}, outputs={})
    described = manifest_for("flowers", 2).model_copy(update={"signatures": {"serving_default": takes}})
    model_server.publish("flowers", 2, manifest=described.to_json().encode())
    wait_until(lambda: send(own_gateway, marked_image()).status_code == 400)
    model_server.calls.forget()
    response = send(own_gateway, marked_image())
    assert (response.status_code, response.json()["code"]) == (400, "bad_tensor")
    assert "image_bytes" in response.json()["detail"]
    assert model_server.calls.count() == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_good_images_are_still_predicted(start_gateway: StartGateway, protocol: str) -> None:
    """An image as the model takes it is predicted in every protocol."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    assert send(gateway, marked_image(), protocol).status_code == 200


def test_one_row_may_be_meant_for_all() -> None:
    """Inputs agree in their numbers of rows, or have one row, which TensorFlow uses for all."""
    number = messages.DataType["DT_FLOAT"].number
    spec = TensorSpec("FLOAT", number, (-1,))
    signature = Signature(1, "", {"a": spec, "b": spec, "c": TensorSpec("FLOAT", number, None)}, {})

    def tensors(*rows: int) -> dict[str, Any]:
        return {
            name: messages.TensorProto(dtype=number, tensor_shape={"dim": [{"size": count}]})
            for name, count in zip("abc", rows, strict=True)
        }

    check_tensors(tensors(4, 4, 2), signature)
    check_tensors(tensors(4, 1, 2), signature)
    with pytest.raises(BadTensorError, match=r"the same number of rows, not a 4, b 3\."):
        check_tensors(tensors(4, 3, 2), signature)


@pytest.mark.parametrize("protocol", ["native", "tensorflow", "open_inference"])
def test_no_protocol_goes_past_the_check(protocol: str) -> None:
    """No protocol's module imports the name of the method Predict, with which it could call past the check."""
    for path in (Path(package.__file__).parent / protocol).glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        imported = {(each.module, alias.name) for each in imports for alias in each.names}
        assert ("gateway.backend.model_client", "PREDICT") not in imported, path
