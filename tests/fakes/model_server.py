"""A model server that can be told what to do: TensorFlow Serving's gRPC API on the real wire, without TensorFlow.

It "decodes" any bytes, and its probabilities are a function of them. Requests ask for misbehaviour by markers in their
images (see `tests.fakes.orders`), tests by the methods here. Its refusals have the words of the real server, and
those that a marker asks for hold words which no caller may see.
"""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from contract.manifest import ModelManifest
from tests.fakes.loop_thread import LoopThread
from tests.fakes.made_up_predictions import (
    LABELS,
    brightness_for,
    heatmap_outputs,
    label_for,
    manifest_for,
    output_tensors,
    probabilities_for,
    signature_definitions,
)
from tests.fakes.orders import Orders, read_orders
from tests.fakes.seen_calls import CANCELLED, REPLIED, Call, SeenCalls

__all__ = ["LABELS", "SECRET_WORDS", "FakeModelServer", "label_for", "manifest_for", "probabilities_for"]

SECRET_WORDS = ("map/while/DecodeImage", "model-host-7", "8500")

# the words of TensorFlow Serving 2.18.1
_NO_THREAD = (grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
_FULL_QUEUE = (
    grpc.StatusCode.UNAVAILABLE,
    "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued and "
    "max_enqueued_batches is 1",
)

_DETAILS = "{{node map/while/DecodeImage}} failed at model-host-7.internal:8500"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_METHODS = ("Predict", "describe", "GetModelMetadata", "GetModelStatus")
_NOT_FOUND = grpc.StatusCode.NOT_FOUND

_Response = Callable[[Any], Awaitable[Any]]


class _RejectionError(Exception):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class _Version:
    state: str
    manifest: bytes | None
    describes: bool
    failed: bool = False
    heatmap: bool = False


class FakeModelServer:
    """Serves published versions on a loopback port, from `start` to `stop`; may be started again on its port.

    `calls` is what it saw. `raw_tensors` makes it answer numbers in `tensor_content` instead of typed fields. While
    `threads` calls of any method run, it refuses others as the real server does with `--grpc_max_threads`, or if
    `full_queue` as it does when the queue for batches is full.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.raw_tensors = False
        self.threads: int | None = None
        self.full_queue = False
        self._busy = 0
        self.predict_requests: list[Any] = []
        self.calls = SeenCalls()
        self._lock = threading.Lock()
        self._versions: dict[str, dict[int, _Version]] = {}
        self._rejections: dict[str, grpc.StatusCode] = {}
        self._seen: Counter[bytes] = Counter()
        self._gates: dict[str, asyncio.Event] = {}
        self._loop: LoopThread | None = None
        self._server: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT of the gRPC API."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, at first on any free port."""
        self._loop = LoopThread()
        self._loop.run(self._listen())

    def stop(self, grace_seconds: float | None = None) -> None:
        """End at once, as a killed process would; or say GOAWAY, answer what is running, and end then."""
        if self._loop is not None:
            self._loop.run(self._server.stop(grace_seconds))
            self._server = None
            self._loop.close()
            self._loop = None

    def publish(
        self,
        model: str,
        version: int,
        labels: tuple[str, ...] = LABELS,
        *,
        state: str = "AVAILABLE",
        manifest: bytes | None = None,
        describes: bool = True,
        heatmap: bool = False,
        **image_input: Any,
    ) -> str:
        """Serve a version, or change its state; return its digest.

        `manifest` replaces what it says of itself; without `describes` it has no such signature, as any other model.
        With `heatmap` it has the signature of that name, whose values are those of `heatmap_outputs`.
        """
        described = manifest_for(model, version, labels, **image_input)
        content = described.to_json().encode() if manifest is None else manifest
        with self._lock:
            self._versions.setdefault(model, {})[version] = _Version(state, content, describes, heatmap=heatmap)
        return described.digest

    def withdraw(self, model: str, version: int, *, failed: bool = False) -> None:
        """Unload a version; it stays in the model's status as ended, with an error if it failed."""
        with self._lock:
            self._versions[model][version] = _Version("END", None, describes=False, failed=failed)

    def refuse(self, method: str, code: grpc.StatusCode) -> None:
        """Answer `method` (Predict, describe, GetModelMetadata, GetModelStatus) with a status; OK ends it."""
        with self._lock:
            self._rejections[method] = code

    @contextmanager
    def holding(self, method: str = "Predict") -> Iterator[None]:
        """Let calls of `method` (as for `refuse`) that arrive wait, until `release` or the end of the `with`."""
        assert self._loop is not None
        gate = self._gates[method]
        self._loop.call_soon(gate.clear)
        try:
            yield
        finally:
            self.release(method)

    def release(self, method: str = "Predict") -> None:
        """Let the calls go on that are held."""
        assert self._loop is not None
        self._loop.call_soon(self._gates[method].set)

    async def _listen(self) -> None:
        self._gates = {method: asyncio.Event() for method in _METHODS}
        for gate in self._gates.values():
            gate.set()
        self._server = grpc.aio.server(options=_OPTIONS)
        prediction = {
            "Predict": self._handler("Predict", self._predict, messages.PredictRequest, messages.PredictResponse),
            "GetModelMetadata": self._handler(
                "GetModelMetadata",
                self._get_model_metadata,
                messages.GetModelMetadataRequest,
                messages.GetModelMetadataResponse,
            ),
        }
        status = self._handler(
            "GetModelStatus", self._get_model_status, messages.GetModelStatusRequest, messages.GetModelStatusResponse
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(messages.PREDICTION_SERVICE, prediction),
                grpc.method_handlers_generic_handler(messages.MODEL_SERVICE, {"GetModelStatus": status}),
            )
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    def _handler(self, method: str, reply: _Response, request_type: Any, response_type: Any) -> Any:
        async def handle(request: Any, context: Any) -> Any:
            call = _note(method, request, context)
            self.calls.begin(call)
            if method == "Predict":
                self.predict_requests.append(request)
            outcome, response = CANCELLED, None
            self._busy += 1
            try:
                self._refuse_if_told(call.method)
                if self.threads is not None and self._busy > self.threads:
                    raise _RejectionError(*(_FULL_QUEUE if self.full_queue else _NO_THREAD))
                await self._gates[call.method].wait()
                response = await reply(request)
                outcome = REPLIED
            except _RejectionError as error:
                outcome, rejection = error.code.name, error
            finally:
                self._busy -= 1
                self.calls.end(call, outcome)  # before the caller hears of it
            if response is None:
                await context.abort(rejection.code, rejection.details)
            return response

        return grpc.unary_unary_rpc_method_handler(handle, request_type.FromString, response_type.SerializeToString)

    async def _predict(self, request: Any) -> Any:
        signature = request.model_spec.signature_name or "serving_default"
        number, version = self._find(request.model_spec)
        if signature == "describe" and version.describes:
            rows = len(request.inputs["query"].string_val)
            outputs = {"manifest": messages.string_tensor([version.manifest or b""] * rows)}
        elif signature == "serving_default":
            outputs = await self._classify(request, version)
        elif signature == "heatmap" and version.heatmap:
            outputs = heatmap_outputs(request.inputs["image_bytes"].string_val)
        else:
            details = f'Serving signature key "{signature}" not found.'
            raise _RejectionError(grpc.StatusCode.FAILED_PRECONDITION, details)
        response = messages.PredictResponse(model_spec={"name": request.model_spec.name, "signature_name": signature})
        response.model_spec.version.value = number
        for name in [*(request.output_filter or outputs), *({"padding"} & outputs.keys())]:
            if name in outputs:
                response.outputs[name].CopyFrom(outputs[name])
        return response

    async def _get_model_metadata(self, request: Any) -> Any:
        number, version = self._find(request.model_spec)
        response = messages.GetModelMetadataResponse(model_spec={"name": request.model_spec.name})
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(
            signature_definitions(describes=version.describes, heatmap=version.heatmap)
        )
        return response

    async def _get_model_status(self, request: Any) -> Any:
        spec = request.model_spec
        with self._lock:
            versions = dict(self._versions.get(spec.name, {}))
        if not versions:
            raise _RejectionError(_NOT_FOUND, f"Could not find any versions of model {spec.name}")
        if spec.HasField("version"):
            if spec.version.value not in versions:
                raise _RejectionError(_NOT_FOUND, f"Could not find version {spec.version.value} of model {spec.name}")
            versions = {spec.version.value: versions[spec.version.value]}
        response = messages.GetModelStatusResponse()
        for number, version in sorted(versions.items()):
            row = response.model_version_status.add(version=number, state=messages.VersionState.Value(version.state))
            row.status.error_code = 13 if version.failed else 0
            row.status.error_message = "Op type not registered 'DecodeWebP'." if version.failed else ""
        return response

    def _find(self, spec: Any) -> tuple[int, _Version]:
        with self._lock:
            versions = dict(self._versions.get(spec.name, {}))
        available = {number: version for number, version in versions.items() if version.state == "AVAILABLE"}
        wanted = spec.version.value if spec.HasField("version") else max(available, default=0)
        if wanted not in available:
            called = f"Specific({spec.name}, {wanted})" if spec.HasField("version") else f"Latest({spec.name})"
            raise _RejectionError(_NOT_FOUND, f"Servable not found for request: {called}")
        return wanted, available[wanted]

    async def _classify(self, request: Any, version: _Version) -> dict[str, Any]:
        images = list(request.inputs["image_bytes"].string_val)
        orders = read_orders(images)
        await self._misbehave(orders, images, request.model_spec)
        labels = ModelManifest.from_json(version.manifest or b"", where="the fake").labels
        valid = [b"BROKEN" not in image for image in images]
        rows = [
            probabilities_for(image, len(labels)) if good else [0.0] * len(labels)
            for image, good in zip(images, valid, strict=True)
        ]
        names = [label_for(image, labels) if good else "" for image, good in zip(images, valid, strict=True)]
        brightness = [brightness_for(image) if good else 0.0 for image, good in zip(images, valid, strict=True)]
        return output_tensors(orders, rows, valid, names, brightness, raw=self.raw_tensors)

    async def _misbehave(self, orders: Orders, images: list[bytes], spec: Any) -> None:
        if orders.first:
            times, code = orders.first
            same = hashlib.sha256(b"".join(images)).digest()
            self._seen[same] += 1
            if self._seen[same] <= times:
                raise _RejectionError(code, _DETAILS)
        await asyncio.sleep(orders.sleep)
        if b"HANG" in orders.words:
            await asyncio.Event().wait()
        if b"VANISH" in orders.words:
            self.withdraw(spec.name, self._find(spec)[0])
            self._find(spec)
        if orders.status:
            raise _RejectionError(orders.status, _DETAILS)

    def _refuse_if_told(self, method: str) -> None:
        code = self._rejections.get(method, grpc.StatusCode.OK)
        if code is not grpc.StatusCode.OK:
            raise _RejectionError(code, _DETAILS)


def _note(method: str, request: Any, context: Any) -> Call:
    spec = request.model_spec
    signature = getattr(spec, "signature_name", "")
    metadata = dict(context.invocation_metadata() or ())
    return Call(
        method="describe" if method == "Predict" and signature == "describe" else method,
        model=spec.name,
        version=spec.version.value if spec.HasField("version") else None,
        signature=signature,
        seconds_left=context.time_remaining(),
        attempt=int(metadata.get("grpc-previous-rpc-attempts", 0)) + 1,
        content=request.inputs["image_bytes"].SerializeToString() if method == "Predict" else b"",
        metadata={name: value for name, value in metadata.items() if isinstance(value, str)},
    )
