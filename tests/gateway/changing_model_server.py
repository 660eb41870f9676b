"""A model server whose model takes something else in each version; TensorFlow Serving's real wire, labels included."""

from collections import Counter
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from tests.fakes.loop_thread import LoopThread

MODEL = "changing"


class _RefusalError(Exception):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class ChangingModelServer:
    """Serves `MODEL`: each version has one input of `dtypes[version]`, named `x` and the version; it echoes it as `y`.

    `calls` counts what was asked, by method; `refusal`, if set, is what every Predict is answered with.
    """

    def __init__(self) -> None:
        self.port = 0
        self.calls: Counter[str] = Counter()
        self.dtypes: dict[int, str] = {1: "DT_FLOAT"}
        self.labels: dict[str, int] = {}
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self._loop = LoopThread()
        self._server: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT of the gRPC API."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen on any free port."""
        self._loop.run(self._listen())

    def stop(self) -> None:
        """End at once."""
        self._loop.run(self._server.stop(None))
        self._loop.close()

    async def _listen(self) -> None:
        self._server = grpc.aio.server()
        prediction = {
            "Predict": (self._predict, messages.PredictRequest),
            "GetModelMetadata": (self._metadata, messages.GetModelMetadataRequest),
        }
        status = {"GetModelStatus": (self._status, messages.GetModelStatusRequest)}
        for service, methods in ((messages.PREDICTION_SERVICE, prediction), (messages.MODEL_SERVICE, status)):
            handlers = {name: self._handler(name, *method) for name, method in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    def _handler(self, name: str, answer: Any, request: Any) -> Any:
        async def handle(message: Any, context: Any) -> Any:
            described = message.model_spec.signature_name == "describe"
            self.calls["describe" if described else name] += 1
            try:
                return answer(message)
            except _RefusalError as error:
                await context.abort(error.code, str(error))

        return grpc.unary_unary_rpc_method_handler(
            handle, request.FromString, lambda response: response.SerializeToString()
        )

    def _status(self, request: Any) -> Any:
        if request.model_spec.name != MODEL:
            raise _RefusalError(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        response = messages.GetModelStatusResponse()
        for version in self.dtypes:
            row = response.model_version_status.add(version=version, state=messages.VersionState.Value("AVAILABLE"))
            row.status.error_code = 0  # the real server sets it even so
        return response

    def _metadata(self, request: Any) -> Any:
        version = self._find(request.model_spec)
        definitions = messages.SignatureDefMap()
        definition = definitions.signature_def["serving_default"]
        for information in (definition.inputs[f"x{version}"], definition.outputs["y"]):
            information.dtype = messages.DataType[self.dtypes[version]].number
            information.tensor_shape.dim.add(size=-1)
        response = messages.GetModelMetadataResponse(model_spec={"name": MODEL, "version": {"value": version}})
        response.metadata["signature_def"].Pack(definitions)
        return response

    def _predict(self, request: Any) -> Any:
        version = self._find(request.model_spec)
        if request.model_spec.signature_name == "describe":
            raise _RefusalError(grpc.StatusCode.FAILED_PRECONDITION, "Serving signature key not found.")
        if self.refusal is not None:
            raise _RefusalError(*self.refusal)
        tensor = request.inputs.get(f"x{version}")
        if tensor is None or tensor.dtype != messages.DataType[self.dtypes[version]].number:
            raise _RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature")
        response = messages.PredictResponse(model_spec={"name": MODEL, "version": {"value": version}})
        response.outputs["y"].CopyFrom(tensor)
        return response

    def _find(self, spec: Any) -> int:
        if spec.HasField("version_label") and spec.version_label not in self.labels:
            details = f"Unrecognized servable version label: {spec.version_label}"
            raise _RefusalError(grpc.StatusCode.INVALID_ARGUMENT, details)
        if spec.HasField("version_label"):
            return self.labels[spec.version_label]
        version = spec.version.value if spec.HasField("version") else max(self.dtypes, default=0)
        if version not in self.dtypes:
            raise _RefusalError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        return int(version)
