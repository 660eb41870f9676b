"""Calls to the model server: TensorFlow Serving's gRPC API in, our words out."""

import math
import time
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from contract.errors import ContractError
from contract.manifest import ModelManifest
from gateway.errors import (
    GatewayError,
    ModelNotLoadedError,
    ModelServerBusyError,
    ModelServerFailedError,
    ModelServerTimeoutError,
    ModelServerUnavailableError,
    QuestionRefusedError,
    VersionNotServedError,
)
from gateway.metrics import Metrics
from gateway.tensors import read_bools, read_floats, read_strings, shape_of

_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # gRPC's own 4 MB would be the first limit to bite
    ("grpc.enable_http_proxy", 0),  # or `http_proxy` would catch calls to the loopback address
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # the default waits up to two minutes for a restarted server
)

_FAILED = (ModelServerFailedError, "The model server failed to answer.")

_ERRORS: dict[grpc.StatusCode, tuple[type[GatewayError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (ModelServerUnavailableError, "The model server is not available at the moment."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (ModelServerTimeoutError, "The model server did not answer in time."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (ModelServerBusyError, "The model server has too much to do at the moment."),
    grpc.StatusCode.NOT_FOUND: (VersionNotServedError, "This version of the model is not served."),
    grpc.StatusCode.INVALID_ARGUMENT: (QuestionRefusedError, "The model server refused the request as invalid."),
    grpc.StatusCode.FAILED_PRECONDITION: (QuestionRefusedError, "The model cannot answer this kind of request."),
}


@dataclass(frozen=True)
class Scores:
    """What a model said about N pictures, in their order.

    `probabilities` has N rows of C floats, zeros where `valid` is False: the graph refused that picture.
    """

    version: int
    probabilities: tuple[tuple[float, ...], ...]
    valid: tuple[bool, ...]


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model as the model server sees it: START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    failed: bool


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel to HOST:PORT; it connects at its first call. Closed by the caller."""
    return grpc.aio.insecure_channel(address, options=list(_CHANNEL_OPTIONS))


def error_for(code: grpc.StatusCode, model: str, version: int | None) -> GatewayError:
    """Return what a gRPC status means to someone who asked for `version` of `model`, None being its latest."""
    if code is grpc.StatusCode.NOT_FOUND:  # which of the two is missing depends on what was asked for
        if version is None:
            return ModelNotLoadedError(f"No version of the model {model} is loaded.")
        return VersionNotServedError(f"Version {version} of the model {model} is not served.")
    kind, sentence = _ERRORS.get(code, _FAILED)
    return kind(sentence)


class ModelClient:
    """One model server behind an open channel. Every call has a deadline and is timed.

    Each method raises the errors of `error_for`, and `ModelServerFailedError` for an answer that makes no sense.
    """

    def __init__(self, channel: grpc.aio.Channel, timeout_seconds: float, metrics: Metrics) -> None:
        self._timeout = timeout_seconds
        self._metrics = metrics
        predict = f"/{messages.PREDICTION_SERVICE}/Predict"
        status = f"/{messages.MODEL_SERVICE}/GetModelStatus"
        self._methods = {
            "Predict": channel.unary_unary(
                predict,
                messages.PredictRequest.SerializeToString,
                messages.PredictResponse.FromString,
            ),
            "GetModelStatus": channel.unary_unary(
                status,
                messages.GetModelStatusRequest.SerializeToString,
                messages.GetModelStatusResponse.FromString,
            ),
        }

    async def predict(self, model: str, version: int | None, pictures: list[bytes]) -> Scores:
        """Ask `version` of `model`, or its latest, about encoded pictures, at least one."""
        request = messages.PredictRequest(output_filter=["probabilities", "valid"])
        request.inputs["image_bytes"].CopyFrom(messages.string_tensor(pictures))
        response = await self._ask(request, model, version, signature="serving_default")
        probabilities = _output(response, "probabilities")
        shape, values = shape_of(probabilities), read_floats(probabilities)
        valid = tuple(read_bools(_output(response, "valid")))
        if len(shape) != 2 or shape[0] != len(pictures) or len(valid) != len(pictures):
            raise ModelServerFailedError("The model server's answer does not fit the number of pictures.")
        if not math.isfinite(sum(values)):
            raise ModelServerFailedError("The model answered with probabilities that are not numbers.")
        rows = tuple(tuple(values[start : start + shape[1]]) for start in range(0, len(values), shape[1]))
        return Scores(response.model_spec.version.value, rows, valid)

    async def describe(self, model: str, version: int) -> ModelManifest:
        """Ask `version` of `model` for its manifest."""
        request = messages.PredictRequest(output_filter=["manifest"])
        request.inputs["query"].CopyFrom(messages.string_tensor([b""]))
        try:
            response = await self._ask(request, model, version, signature="describe")
            texts = read_strings(_output(response, "manifest"))
            return ModelManifest.from_json(texts[0] if texts else b"", where="What the model says of itself")
        except ContractError as error:
            raise ModelServerFailedError(str(error)) from error
        except QuestionRefusedError as error:  # the question was ours, so the caller is not to blame
            raise ModelServerFailedError("The model cannot describe itself.") from error

    async def read_status(self, model: str) -> tuple[VersionStatus, ...]:
        """Return the versions of `model` that the model server knows, in its order."""
        request = messages.GetModelStatusRequest(model_spec={"name": model})
        try:
            response = await self._call("GetModelStatus", request, model, None)
        except QuestionRefusedError as error:
            raise ModelServerFailedError("The model server does not tell which versions it has.") from error
        return tuple(
            VersionStatus(status.version, _state_name(status.state), status.status.error_code != 0)
            for status in response.model_version_status
        )

    async def _ask(self, request: Any, model: str, version: int | None, *, signature: str) -> Any:
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        return await self._call("Predict", request, model, version)

    async def _call(self, method: str, request: Any, model: str, version: int | None) -> Any:
        started, code = time.perf_counter(), grpc.StatusCode.CANCELLED
        try:
            response = await self._methods[method](request, timeout=self._timeout)
            code = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()
            raise error_for(code, model, version) from error
        finally:
            self._metrics.time_backend(method, code.name, time.perf_counter() - started)
        return response


def _output(response: Any, name: str) -> Any:
    if name not in response.outputs:
        raise ModelServerFailedError(f"The model server's answer has no {name}.")
    return response.outputs[name]


def _state_name(number: int) -> str:
    known = messages.VersionState.values()
    return str(messages.VersionState.Name(number)) if number in known else "UNKNOWN"
