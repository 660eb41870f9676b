"""Replay of what TensorFlow Serving 2.18.1 answered, for the models and calls this server has."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from contract import serving_messages as messages
from modelserver.tensors import to_array

MODELS = ("dense", "image", "types", "strings", "twoin")
CLASSES = {
    f"/{messages.PREDICTION_SERVICE}/Predict": (messages.PredictRequest, messages.PredictResponse),
    f"/{messages.PREDICTION_SERVICE}/GetModelMetadata": (
        messages.GetModelMetadataRequest,
        messages.GetModelMetadataResponse,
    ),
    f"/{messages.MODEL_SERVICE}/GetModelStatus": (
        messages.GetModelStatusRequest,
        messages.GetModelStatusResponse,
    ),
}


def _calls(recordings: Path, model: str) -> list[dict[str, Any]]:
    lines = (recordings / "grpc_dev.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [call for call in map(json.loads, lines) if call["kind"] == "call" and call["method"] in CLASSES]
    return [call for call in calls if _model_of(call) == model]


def _model_of(call: dict[str, Any]) -> str:
    request_class, _ = CLASSES[call["method"]]
    if call["group"] == "transport":  # some are no messages at all
        return "dense"
    name: str = request_class.FromString(base64.b64decode(call["request_b64"])).model_spec.name
    return "dense" if name in {"", "nosuch"} else name


def _difference(call: dict[str, Any], client: Any) -> str | None:
    code, details, answer = _ask(call, client)
    if code != call["code"]:
        return f"{code} ({details}), recorded {call['code']}"
    if code != "OK":
        return None if call.get("transport") else _text_difference(call, details)
    response_class = CLASSES[call["method"]][1]
    recorded = response_class.FromString(base64.b64decode(call["response_b64"]))
    return _response_difference(response_class.FromString(answer), recorded)


def _ask(call: dict[str, Any], client: Any) -> tuple[str, str, bytes]:
    try:
        return "OK", "", client.call(call["method"], base64.b64decode(call["request_b64"]))
    except grpc.RpcError as caught:
        error: Any = caught  # also a grpc.Call, which the stubs do not know
        return error.code().name, error.details(), b""


def _text_difference(call: dict[str, Any], details: str) -> str | None:
    recorded = call["details"].partition("\n\t [[{{")[0]
    if call.get("message_from") == "graph":  # operations word their messages anew with each TensorFlow
        recorded = re.split(r"[:\"'{\[(\d\n<]| One of ", recorded)[0].rstrip()
        return None if details.startswith(recorded) else f"{details!r}, recorded {recorded!r}"
    return None if details == recorded else f"{details!r}, recorded {recorded!r}"


def _response_difference(response: Any, recorded: Any) -> str | None:
    """Compare tensors by dtype, field, shape and elements; the rest as messages."""
    if response.DESCRIPTOR.name == "PredictResponse":
        if set(response.outputs) != set(recorded.outputs):
            return f"outputs {sorted(response.outputs)}, recorded {sorted(recorded.outputs)}"
        for name in recorded.outputs:
            seen, expected = response.outputs[name], recorded.outputs[name]
            fields = [[field.name for field, _ in tensor.ListFields()] for tensor in (seen, expected)]
            arrays = to_array(seen, name), to_array(expected, name)
            if fields[0] != fields[1] or arrays[0].dtype != arrays[1].dtype or not _close(*arrays):
                return f"{name}: {seen}, recorded {expected}"
        response.ClearField("outputs")
        recorded.ClearField("outputs")
    if response.DESCRIPTOR.name == "GetModelMetadataResponse":  # maps have no order in serialized form
        seen, expected = (_definitions(answer) for answer in (response, recorded))
        if seen != expected:
            return f"{seen}, recorded {expected}"
    return None if response == recorded else f"{response}, recorded {recorded}"


def _definitions(answer: Any) -> Any:
    definitions = messages.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(definitions)
    del answer.metadata["signature_def"]
    return definitions


def _close(seen: Any, recorded: Any) -> bool:
    if seen.shape != recorded.shape:
        return False
    if seen.dtype.kind not in "fc":
        return bool(np.array_equal(seen, recorded))
    return bool(np.allclose(seen, recorded, rtol=4e-6, atol=1.2e-38, equal_nan=True))


@pytest.mark.parametrize("model", MODELS)
def test_answers_equal_those_of_tensorflow_serving(
    recordings: Path, start_server: Callable[..., Any], eventually: Callable[..., None], model: str
) -> None:
    """Every recorded call on a model gets the recorded status, text and values."""
    client = start_server(recordings / "models" / model, model)
    eventually(lambda: client.states(model).get(1) == ("AVAILABLE", ""))
    calls = _calls(recordings, model)
    differences = {call["id"]: _difference(call, client) for call in calls}
    assert calls
    assert {name: difference for name, difference in differences.items() if difference} == {}
