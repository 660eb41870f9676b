"""A model server that can be told what to do: TensorFlow Serving's gRPC API on the real wire, without TensorFlow.

It "decodes" any bytes except those that hold a marker, and its probabilities are a function of the bytes, so that
each picture's answer can be recognised. Requests ask for misbehaviour by markers in their pictures:

    BROKEN            the picture is marked as not valid
    STATUS:NAME       the call ends with that gRPC status, and details no caller should see
    SLEEP:SECONDS     the call takes that long
    NAN               the probabilities are not numbers
"""

import hashlib
import re
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc

from contract import serving_messages as messages
from contract.image_input import ImageInput
from contract.manifest import BaseWeights, ModelManifest

SECRET_WORDS = ("map/while/DecodeImage", "model-host-7", "8500")
LABELS = ("daisy", "roses", "tulips")

_DETAILS = "{{node map/while/DecodeImage}} failed at model-host-7.internal:8500"
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_STATUS = re.compile(rb"STATUS:([A-Z_]+)")
_SLEEP = re.compile(rb"SLEEP:([0-9.]+)")


def probabilities_for(picture: bytes, classes: int) -> list[float]:
    """Return what the fake says about a picture: `classes` float32 values that sum up to about 1."""
    weights = [1.0 + byte**2 for byte in hashlib.sha256(picture).digest()[:classes]]
    return [struct.unpack("<f", struct.pack("<f", weight / sum(weights)))[0] for weight in weights]


def label_for(picture: bytes, labels: tuple[str, ...] = LABELS) -> str:
    """Return the likeliest label of a picture."""
    probabilities = probabilities_for(picture, len(labels))
    return labels[probabilities.index(max(probabilities))]


def manifest_for(model: str, version: int, labels: tuple[str, ...] = LABELS, **image_input: Any) -> ModelManifest:
    """Return a manifest; its digest is that of model, version and labels."""
    identity = hashlib.sha256(repr((model, version, labels)).encode()).hexdigest()
    return ModelManifest(
        name=model,
        version=version,
        created=datetime(2025, 1, 1, tzinfo=UTC),
        labels=labels,
        image_input=ImageInput(height=32, width=32, **image_input),
        signatures={},
        architecture="mobilenet_v2",
        base_weights=BaseWeights(source="none", digest=None),
        dataset_digest="sha256:0",
        code_version="0",
        training_configuration={},
        metrics={},
        run="run",
        digest=f"sha256:{identity}",
    )


class FakeModelServer:
    """Serves published versions on a loopback port, from `start` to `stop`; may be started again on its port.

    `raw_tensors` makes it answer numbers in `tensor_content` instead of typed fields.
    """

    def __init__(self) -> None:
        self.port = 0
        self.raw_tensors = False
        self.predict_requests: list[Any] = []
        self._lock = threading.Lock()
        self._versions: dict[str, dict[int, tuple[str, bytes | None]]] = {}
        self._refusals: dict[str, grpc.StatusCode] = {}
        self._server: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT of the gRPC API."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, at first on any free port."""
        self._server = grpc.server(ThreadPoolExecutor(8), options=_UNLIMITED)
        self._server.add_generic_rpc_handlers(
            (
                _service(
                    messages.PREDICTION_SERVICE,
                    "Predict",
                    self._predict,
                    messages.PredictRequest,
                    messages.PredictResponse,
                ),
                _service(
                    messages.MODEL_SERVICE,
                    "GetModelStatus",
                    self._get_model_status,
                    messages.GetModelStatusRequest,
                    messages.GetModelStatusResponse,
                ),
            )
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        """End at once, as a killed process would."""
        self._server.stop(grace=None).wait()

    def publish(
        self,
        model: str,
        version: int,
        labels: tuple[str, ...] = LABELS,
        *,
        state: str = "AVAILABLE",
        manifest: bytes | None = None,
        **image_input: Any,
    ) -> str:
        """Serve a version, or change its state; return its digest. `manifest` replaces what it says of itself."""
        described = manifest_for(model, version, labels, **image_input)
        with self._lock:
            content = described.to_json().encode() if manifest is None else manifest
            self._versions.setdefault(model, {})[version] = (state, content)
        return described.digest

    def withdraw(self, model: str, version: int) -> None:
        """Unload a version; it stays in the model's status as ended."""
        with self._lock:
            self._versions[model][version] = ("END", None)

    def refuse(self, method: str, code: grpc.StatusCode) -> None:
        """Answer `method` (Predict, describe or GetModelStatus) with a status from now on; OK ends it."""
        with self._lock:
            self._refusals[method] = code

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self.predict_requests.append(request)
        version, manifest = self._find(request.model_spec, context)
        signature = request.model_spec.signature_name or "serving_default"
        self._refuse_if_told("describe" if signature == "describe" else "Predict", context)
        response = messages.PredictResponse(model_spec={"name": request.model_spec.name})
        response.model_spec.version.value = version
        response.model_spec.signature_name = signature
        if signature == "describe":
            rows = len(request.inputs["query"].string_val)
            outputs = {"manifest": messages.string_tensor([manifest] * rows)}
        elif signature == "serving_default":
            outputs = self._classify(list(request.inputs["image_bytes"].string_val), manifest, context)
        else:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Serving signature key {signature} not found.")
        for name in request.output_filter or outputs:
            response.outputs[name].CopyFrom(outputs[name])
        return response

    def _find(self, spec: Any, context: grpc.ServicerContext) -> tuple[int, bytes]:
        with self._lock:
            versions = dict(self._versions.get(spec.name, {}))
        available = {number: text for number, (state, text) in versions.items() if state == "AVAILABLE"}
        wanted = spec.version.value if spec.HasField("version") else max(available, default=0)
        manifest = available.get(wanted)
        if manifest is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name} {wanted}")
        return wanted, manifest

    def _classify(self, pictures: list[bytes], manifest: bytes, context: grpc.ServicerContext) -> dict[str, Any]:
        together = b"".join(pictures)
        if slept := _SLEEP.search(together):
            time.sleep(float(slept[1]))
        if status := _STATUS.search(together):
            context.abort(grpc.StatusCode[status[1].decode()], _DETAILS)
        labels = ModelManifest.from_json(manifest, where="the fake").labels
        valid = [b"BROKEN" not in picture for picture in pictures]
        rows = [
            probabilities_for(picture, len(labels)) if good else [0.0] * len(labels)
            for picture, good in zip(pictures, valid, strict=True)
        ]
        if b"NAN" in together:
            rows[0][0] = float("nan")
        names = [
            label_for(picture, labels).encode() if good else b"" for picture, good in zip(pictures, valid, strict=True)
        ]
        return {
            "probabilities": self._float_tensor([value for row in rows for value in row], len(pictures), len(labels)),
            "valid": self._bool_tensor(valid),
            "label": messages.string_tensor(names),
        }

    def _float_tensor(self, values: list[float], *shape: int) -> Any:
        tensor = messages.TensorProto(dtype=messages.DataType["DT_FLOAT"].number)
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        if self.raw_tensors:
            tensor.tensor_content = struct.pack(f"<{len(values)}f", *values)
        else:
            tensor.float_val.extend(values)
        return tensor

    def _bool_tensor(self, values: list[bool]) -> Any:
        tensor = messages.TensorProto(dtype=messages.DataType["DT_BOOL"].number)
        tensor.tensor_shape.dim.add(size=len(values))
        if self.raw_tensors:
            tensor.tensor_content = bytes(values)
        else:
            tensor.bool_val.extend(values)
        return tensor

    def _get_model_status(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._refuse_if_told("GetModelStatus", context)
        name = request.model_spec.name
        with self._lock:
            versions = dict(self._versions.get(name, {}))
        if not versions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        response = messages.GetModelStatusResponse()
        for number, (state, _) in sorted(versions.items()):
            response.model_version_status.add(version=number, state=messages.VersionState.Value(state))
        return response

    def _refuse_if_told(self, method: str, context: grpc.ServicerContext) -> None:
        code = self._refusals.get(method, grpc.StatusCode.OK)
        if code is not grpc.StatusCode.OK:
            context.abort(code, _DETAILS)


def _service(
    service: str, method: str, answer: Callable[[Any, grpc.ServicerContext], Any], request: Any, response: Any
) -> Any:
    handler = grpc.unary_unary_rpc_method_handler(answer, request.FromString, response.SerializeToString)
    return grpc.method_handlers_generic_handler(service, {method: handler})
