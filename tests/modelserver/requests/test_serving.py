from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from contract import serving_messages as messages
from modelserver.model.tensors import to_array
from tests.fakes.tensors import to_tensor

METADATA = f"/{messages.PREDICTION_SERVICE}/GetModelMetadata"
STATUS = f"/{messages.MODEL_SERVICE}/GetModelStatus"


@pytest.fixture(scope="module")
def client(
    start_server: Callable[..., Any],
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    base_path = tmp_path_factory.mktemp("models") / "scale"
    publish(base_path, 1, 2.0)
    started = start_server(base_path)
    eventually(lambda: started.is_available(1))
    return started


def _rejection(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    return error.code(), error.details()


def test_predict_answers_in_typed_fields_and_says_what_answered(client: Any, x: npt.NDArray[np.float32]) -> None:
    """Predict returns every output in typed fields, with the model's name, version and signature."""
    response = client.predict({"x": x})
    assert list(response.outputs["y"].float_val) == [2.0, -4.0, 6.0]
    assert list(response.outputs["negative"].bool_val) == [False, True, False]
    assert response.model_spec == messages.ModelSpec(
        name="scale", version={"value": 1}, signature_name="serving_default"
    )


def test_predict_reads_tensor_content(client: Any, x: npt.NDArray[np.float32]) -> None:
    """An input as raw bytes gives the same answer as one in typed fields."""
    typed = to_tensor(x)
    raw = messages.TensorProto(dtype=typed.dtype, tensor_shape=typed.tensor_shape, tensor_content=x.tobytes())
    request = messages.PredictRequest(model_spec={"name": "scale"}, inputs={"x": raw})
    assert client.send(request).result() == client.predict({"x": x})


def test_predict_runs_the_signature_that_was_asked_for(client: Any) -> None:
    """A signature by name runs, also one whose output is a scalar string."""
    response = client.predict({"text": np.array([b"a", b"b"], np.object_)}, "total")
    assert to_array(response.outputs["all"], "all") == b"ab"
    assert response.model_spec.signature_name == "total"


def test_an_output_filter_chooses_outputs(client: Any, x: npt.NDArray[np.float32]) -> None:
    """Only the outputs named in the filter are returned."""
    assert set(client.predict({"x": x}, output_filter=["y"]).outputs) == {"y"}


def test_messages_over_four_megabytes_pass(client: Any) -> None:
    """A request and an answer larger than gRPC's default limit arrive."""
    text = b"x" * 5_000_000
    response = client.predict({"text": np.array([text, b"y"], np.object_)}, "total")
    assert to_array(response.outputs["all"], "all") == text + b"y"


def test_metadata_lists_the_signatures(client: Any) -> None:
    """GetModelMetadata returns the signature definitions of the SavedModel."""
    request = messages.GetModelMetadataRequest(model_spec={"name": "scale"}, metadata_field=["signature_def"])
    response = messages.GetModelMetadataResponse.FromString(client.call(METADATA, request.SerializeToString()))
    signatures = messages.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "total", "slow"} <= set(signatures.signature_def)
    definition = signatures.signature_def["serving_default"]
    assert definition.inputs["x"].dtype == messages.DataType["DT_FLOAT"].number
    assert set(definition.outputs) == {"y", "negative"}
    assert response.model_spec.version.value == 1


def test_status_shows_the_served_version(client: Any) -> None:
    """GetModelStatus lists the one version as AVAILABLE."""
    assert client.states() == {1: ("AVAILABLE", "")}


@pytest.mark.parametrize(
    ("spec", "code", "details"),
    [
        ({"name": "nosuch"}, "NOT_FOUND", "Servable not found for request: Latest(nosuch)"),
        (
            {"name": "scale", "version": {"value": 7}},
            "NOT_FOUND",
            "Servable not found for request: Specific(scale, 7)",
        ),
        (
            {"name": "scale", "version_label": "stable"},
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: stable",
        ),
        (
            {"name": "scale", "signature_name": "nosig"},
            "FAILED_PRECONDITION",
            'Serving signature key "nosig" not found.',
        ),
        ({}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (None, "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
    ids=["model", "version", "label", "signature", "no name", "no spec"],
)
def test_predict_refuses_what_is_not_served(client: Any, spec: dict[str, Any] | None, code: str, details: str) -> None:
    """An unknown model, version, label or signature is refused with TensorFlow Serving's status and text."""
    request = messages.PredictRequest(model_spec=spec)
    assert _rejection(client.send(request).result) == (grpc.StatusCode[code], details)


@pytest.mark.parametrize(
    ("inputs", "details"),
    [
        ({"x": np.zeros(2)}, "Expects arg[0] to be float but double is provided"),
        (
            {},
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"z": np.zeros(2, np.float32)},
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default "
            "value provided. Inputs expected to be in the request {z}, or default input alias set: ",
        ),
    ],
    ids=["dtype", "none", "name"],
)
def test_a_bad_request_is_refused_and_harms_nobody(
    client: Any, x: npt.NDArray[np.float32], inputs: dict[str, npt.NDArray[Any]], details: str
) -> None:
    """Inputs that do not fit are refused with TensorFlow Serving's text, and the next request is answered."""
    assert _rejection(lambda: client.predict(inputs)) == (grpc.StatusCode.INVALID_ARGUMENT, details)
    assert list(client.predict({"x": x}).outputs["y"].float_val) == [2.0, -4.0, 6.0]


def test_status_refuses_what_was_never_seen(client: Any) -> None:
    """GetModelStatus knows neither another model nor a version that never appeared."""
    nosuch = messages.GetModelStatusRequest(model_spec={"name": "nosuch"})
    assert _rejection(lambda: client.call(STATUS, nosuch.SerializeToString())) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find any versions of model nosuch",
    )
    seventh = messages.GetModelStatusRequest(model_spec={"name": "scale", "version": {"value": 7}})
    assert _rejection(lambda: client.call(STATUS, seventh.SerializeToString())) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find version 7 of model scale",
    )
