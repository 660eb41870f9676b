"""The client of the model server: TensorFlow Serving's gRPC API, with its errors as GatewayErrors."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from contract.errors import ContractError
from contract.manifest import ModelManifest
from gateway.backend.server_threads import ServerThreads, has_no_room, means_no_room, pause_seconds
from gateway.backend.tensors import read_strings
from gateway.deadline import Deadline
from gateway.errors import (
    GatewayError,
    MessageTooLargeError,
    ModelNotLoadedError,
    ModelServerBusyError,
    ModelServerFailedError,
    ModelServerTimeoutError,
    ModelServerUnavailableError,
    NotDescribedError,
    RequestRejectedError,
    VersionNotServedError,
)
from gateway.observability.metrics import Metrics
from gateway.observability.observation import Observation

PREDICT, CLASSIFY, REGRESS, METADATA, STATUS = "Predict", "Classify", "Regress", "GetModelMetadata", "GetModelStatus"

_METHODS: dict[str, tuple[str, Any]] = {
    PREDICT: (messages.PREDICTION_SERVICE, messages.PredictResponse),
    CLASSIFY: (messages.PREDICTION_SERVICE, messages.ClassificationResponse),
    REGRESS: (messages.PREDICTION_SERVICE, messages.RegressionResponse),
    METADATA: (messages.PREDICTION_SERVICE, messages.GetModelMetadataResponse),
    STATUS: (messages.MODEL_SERVICE, messages.GetModelStatusResponse),
}

_FAILED = (ModelServerFailedError, "The model server failed to process the request.")

_ERRORS: dict[grpc.StatusCode, tuple[type[GatewayError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (ModelServerUnavailableError, "The model server is not available at the moment."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (ModelServerTimeoutError, "The model server did not respond in time."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (ModelServerBusyError, "The model server is overloaded at the moment."),
    grpc.StatusCode.NOT_FOUND: (VersionNotServedError, "This version of the model is not served."),
    grpc.StatusCode.INVALID_ARGUMENT: (RequestRejectedError, "The model server rejected the request as invalid."),
    grpc.StatusCode.FAILED_PRECONDITION: (RequestRejectedError, "The model does not support this kind of request."),
}

# for these codes the text is the model server's own; for others it may be gRPC's, which names addresses
_SPEAKING = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.ABORTED,
    }
)
_TOO_LARGE = "message larger than max"  # gRPC's own words, for either direction and side


_NO_ROOM_IN_TIME = "The model server had no room for the request in time."


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model as the model server sees it: START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    failed: bool


def error_for(code: grpc.StatusCode, model: str, version: int | None, details: str = "") -> GatewayError:
    """Return the error for the gRPC status of a request to `version` of `model`; None means the latest version."""
    error = _error_for(code, model, version, details)
    error.code = code
    error.details = details if code in _SPEAKING else ""
    return error


def _error_for(code: grpc.StatusCode, model: str, version: int | None, details: str) -> GatewayError:
    if code is grpc.StatusCode.NOT_FOUND:  # which of the two is missing depends on the request
        if version is None:
            return ModelNotLoadedError(f"No version of the model {model} is loaded.")
        return VersionNotServedError(f"Version {version} of the model {model} is not served.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details.lower():
        return MessageTooLargeError(
            "The request or its response exceeds the maximum size of a message to the model server."
        )
    if means_no_room(code, details):
        return ModelServerBusyError("The model server had no room for the request; try again shortly.")
    kind, sentence = _ERRORS.get(code, _FAILED)
    return kind(sentence)


def _error_of(error: grpc.aio.AioRpcError, spec: Any) -> GatewayError:
    version = spec.version.value if spec.HasField("version") else None
    return error_for(error.code(), spec.name, version, error.details() or "")


def _left(deadline: Deadline) -> float:
    """Return the seconds that are left for a call, more than 0: gRPC would still send a call without any."""
    if seconds := deadline.remaining():
        return seconds
    raise ModelServerTimeoutError("There was no time left to call the model server.")


class ModelClient:
    """One model server behind an open channel. Every call has a deadline and is timed.

    A call that is refused because the server has no room is sent again when there may be some, until its deadline.

    Each method raises the errors of `error_for`, and `ModelServerFailedError` for an invalid response.
    """

    def __init__(self, channel: grpc.aio.Channel, timeout_seconds: float, metrics: Metrics) -> None:
        self._timeout = timeout_seconds
        self._metrics = metrics.backend
        self._threads = ServerThreads()
        self._methods = {
            name: channel.unary_unary(f"/{service}/{name}", _serialized, response.FromString)
            for name, (service, response) in _METHODS.items()
        }

    async def call(self, method: str, message: Any, deadline: Deadline, observation: Observation | None = None) -> Any:
        """Return the response to a message, or to what has its `model_spec` and bytes; `method` is a name from above.

        The call belongs to the trace of `observation`, which is that of the HTTP request behind the call, if any.
        """
        metadata = None if observation is None else observation.call_metadata()
        allowed, attempt = _left(deadline), 0
        while True:
            attempt += 1
            try:
                # calls of our own learn what is served, so they do not wait behind those that need to know it
                async with self._threads.thread(deadline, ahead=observation is None or attempt > 1):
                    seconds, started, code = deadline.remaining(), time.perf_counter(), grpc.StatusCode.CANCELLED
                    try:
                        response = await self._methods[method](message, timeout=seconds, metadata=metadata)
                        code = grpc.StatusCode.OK
                    except grpc.aio.AioRpcError as error:
                        code = error.code()
                        raise
                    finally:
                        self._metrics.time_call(method, code.name, time.perf_counter() - started)
            except grpc.aio.AioRpcError as error:
                if has_no_room(error):
                    await asyncio.sleep(pause_seconds(attempt, deadline))
                    if deadline.remaining():
                        continue
                elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and seconds < allowed / 2:
                    raise ModelServerBusyError(_NO_ROOM_IN_TIME) from error  # most of its time it waited for room
                raise _error_of(error, message.model_spec) from error
            except TimeoutError:
                raise ModelServerBusyError(_NO_ROOM_IN_TIME) from None
            return response

    async def describe(self, model: str, version: int) -> ModelManifest:
        """Return the manifest of `version` of `model`.

        Raises:
            NotDescribedError: it has no signature `describe`.
        """
        request = messages.PredictRequest(output_filter=["manifest"])
        fill_spec(request.model_spec, model, version, signature="describe")
        request.inputs["query"].CopyFrom(messages.string_tensor([b""]))
        try:
            response = await self.call(PREDICT, request, Deadline.after(self._timeout))
            texts = read_strings(output_of(response, "manifest"))
            return ModelManifest.from_json(texts[0] if texts else b"", where="The manifest that the model returned")
        except ContractError as error:
            raise ModelServerFailedError(str(error)) from error
        except RequestRejectedError as error:
            raise NotDescribedError(
                f"The model {model} does not describe itself (it has no signature `describe`), so its outputs cannot "
                "be labelled; use the TensorFlow Serving or the Open Inference API."
            ) from error

    async def read_status(self, model: str) -> tuple[VersionStatus, ...]:
        """Return the versions of `model` that the model server reports, in its order."""
        request = messages.GetModelStatusRequest(model_spec={"name": model})
        try:
            response = await self.call(STATUS, request, Deadline.after(self._timeout))
        except RequestRejectedError as error:
            raise ModelServerFailedError("The model server does not report its versions.") from error
        return tuple(
            VersionStatus(row.version, _state_name(row.state), row.status.error_code != 0)
            for row in response.model_version_status
        )


def fill_spec(spec: Any, model: str, version: int | None, label: str | None = None, signature: str = "") -> None:
    """Fill a request's `model_spec` for a version, a label, or the latest version if both are None."""
    spec.name = model
    spec.signature_name = signature
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label


def output_of(response: Any, name: str) -> Any:
    """Return one output of a PredictResponse.

    Raises:
        ModelServerFailedError: there is no such output.
    """
    if name not in response.outputs:
        raise ModelServerFailedError(f"The model server's response has no {name}.")
    return response.outputs[name]


def _serialized(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


def _state_name(number: int) -> str:
    known = messages.VersionState.values()
    return str(messages.VersionState.Name(number)) if number in known else "UNKNOWN"
