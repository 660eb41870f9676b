"""A client of TensorFlow Serving's gRPC API, or of any server that speaks it; without TensorFlow."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import grpc
import numpy as np
import numpy.typing as npt

from contract import serving_messages as messages
from contract.errors import ContractError
from contract.manifest import ModelManifest
from exporter.errors import CheckError

_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}
"""TensorFlow Serving refuses a call with RESOURCE_EXHAUSTED when all its threads are busy, which is over soon."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # 4 MB by default: probabilities of many classes are larger
    ("grpc.enable_http_proxy", 0),  # or `http_proxy` would catch calls to the loopback address
    ("grpc.service_config", json.dumps(_RETRIES)),
)
_TIMEOUT_SECONDS = 60.0
_LOAD_SECONDS = 300.0
_RETRY_SECONDS = 0.1
_AVAILABLE, _END = (messages.VersionState.Value(name) for name in ("AVAILABLE", "END"))


@dataclass(frozen=True)
class ServerPrediction:
    """What a server said about N images: `probabilities` float32 [N, C], `valid` bool [N], and N labels."""

    probabilities: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ReportedVersion:
    """One version as a server reports it: START, LOADING, AVAILABLE, UNLOADING or END, and why it failed, if it did."""

    version: int
    state: str
    error: str


def _reason(status: Any) -> str:
    return (status.error_message.rstrip(".") or "no reason given") if status.error_code else ""


class ServerClient:
    """Asks one model of the server at `address`, HOST:PORT. Use it in a `with`.

    Each method raises CheckError, with the address and the reason, where the server cannot be reached or fails.
    """

    def __init__(self, address: str, model: str) -> None:
        self.address = address
        self._model = model
        try:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        except UnicodeEncodeError as error:
            raise CheckError(f"{address} is not the address of a model server; give HOST:PORT.") from error
        self._predict = self._method(messages.PREDICTION_SERVICE, "Predict", "PredictRequest", "PredictResponse")
        self._status = self._method(
            messages.MODEL_SERVICE, "GetModelStatus", "GetModelStatusRequest", "GetModelStatusResponse"
        )

    def __enter__(self) -> "ServerClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def describe(self, version: int) -> ModelManifest:
        """Ask `version` for its manifest."""
        response = self._request(version, "describe", "query", [b""])
        texts = self._output(response, "manifest").string_val
        try:
            return ModelManifest.from_json(texts[0] if texts else b"", where=f"What {self.address} says of itself")
        except ContractError as error:
            raise CheckError(str(error)) from error

    def predict(self, version: int, contents: Sequence[bytes]) -> ServerPrediction:
        """Ask `version` about N encoded images."""
        response = self._request(version, "serving_default", "image_bytes", contents)
        probabilities = self._numbers(response, "probabilities", np.dtype("<f4"), "float_val")
        valid = self._numbers(response, "valid", np.dtype(np.bool_), "bool_val")
        labels = tuple(label.decode(errors="replace") for label in self._output(response, "label").string_val)
        if probabilities.ndim != 2 or not len(probabilities) == len(valid) == len(labels) == len(contents):
            raise self._senseless("as many rows as images were asked about")
        return ServerPrediction(probabilities.astype(np.float32), valid, labels)

    def await_version(self, version: int) -> None:
        """Wait until a server that was just started serves `version`; it must know that version in the end."""
        started = time.monotonic()
        while (status := self._version_status(version)) is None or status.state != _AVAILABLE:
            if status is not None and status.state == _END:
                raise CheckError(f"The model server cannot load version {version}: {status.status.error_message}.")
            if time.monotonic() - started > _LOAD_SECONDS:
                raise CheckError(f"The model server has not loaded version {version} in {_LOAD_SECONDS:.0f} seconds.")
            time.sleep(_RETRY_SECONDS)

    def versions(self, timeout_seconds: float) -> tuple[ReportedVersion, ...]:
        """Return the versions that the server reports, by number; none if it knows no such model."""
        try:
            statuses = self._statuses(timeout_seconds)
        except CheckError as error:
            if cast(grpc.Call, error.__cause__).code() is grpc.StatusCode.NOT_FOUND:
                return ()
            raise
        found = (
            ReportedVersion(
                status.version,
                str(messages.VersionState.Name(status.state)),
                _reason(status.status),
            )
            for status in statuses
        )
        return tuple(sorted(found, key=lambda each: each.version))

    def _version_status(self, version: int) -> Any:
        return next((status for status in self._statuses() if status.version == version), None)

    def _statuses(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> list[Any]:
        request = messages.GetModelStatusRequest(model_spec={"name": self._model})
        with self._one_sentence():
            return list(self._status(request, timeout=timeout_seconds).model_version_status)

    def _request(self, version: int, signature: str, key: str, values: Sequence[bytes]) -> Any:
        request = messages.PredictRequest(model_spec={"name": self._model, "signature_name": signature})
        request.model_spec.version.value = version
        request.inputs[key].CopyFrom(messages.string_tensor(list(values)))
        with self._one_sentence(version):
            return self._predict(request, timeout=_TIMEOUT_SECONDS)

    def _method(self, service: str, method: str, request: str, response: str) -> Callable[..., Any]:
        return self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=getattr(messages, request).SerializeToString,
            response_deserializer=getattr(messages, response).FromString,
        )

    @contextmanager
    def _one_sentence(self, version: int | None = None) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            call = cast(grpc.Call, error)
            if version is not None and call.code() is grpc.StatusCode.NOT_FOUND:
                raise CheckError(self._not_served(version)) from error
            reason = (call.details() or "no reason given").splitlines()[0].rstrip(".")
            raise CheckError(
                f"The model server at {self.address} does not answer ({call.code().name}: {reason}); start it, or "
                "give another --server HOST:PORT."
            ) from error

    def _not_served(self, version: int) -> str:
        try:
            served = [str(status.version) for status in self._statuses() if status.state == _AVAILABLE]
        except CheckError:  # it knows no model of this name
            served = []
        seen = f"it serves version {', '.join(served)}" if served else "no version of it is loaded there"
        return f"The model server at {self.address} does not serve version {version} of {self._model}; {seen}."

    def _output(self, response: Any, name: str) -> Any:
        if name not in response.outputs:
            raise self._senseless(f"an output {name}")
        return response.outputs[name]

    def _numbers(self, response: Any, name: str, dtype: "np.dtype[Any]", field: str) -> npt.NDArray[Any]:
        """Return an output's values; servers write them into a typed field, or as raw bytes."""
        tensor = self._output(response, name)
        shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
        content = tensor.tensor_content
        whole = bool(content) and len(content) % dtype.itemsize == 0
        values = np.frombuffer(content, dtype) if whole else np.array(getattr(tensor, field), dtype)
        if len(values) != math.prod(shape):
            raise self._senseless(f"as many values as {name} announces")
        return values.reshape(shape)

    def _senseless(self, missing: str) -> CheckError:
        return CheckError(
            f"The answer of {self.address} does not have {missing}; is that a server of a version that Graft made?"
        )
