"""`tensorflow.serving.PredictionService`: all requests that a model's graph serves."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import grpc

from contract import serving_messages as messages
from modelserver.batching.batcher import Batcher
from modelserver.errors import BadInputError
from modelserver.grpc.unary_calls import UnaryCalls, request_bytes
from modelserver.metrics import ModelServerMetrics
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.cancellation import CancellationToken
from modelserver.model.spans import Waiting, current_spans
from modelserver.model.version import Model
from modelserver.requests.handler import RequestHandler
from modelserver.requests.handlers import CLASSIFY, PREDICT, REGRESS
from modelserver.requests.large_images import LargeImages
from modelserver.requests.multi_inference import infer_all
from modelserver.requests.row_limits import check_examples
from modelserver.versions.served_models import ServedModels
from modelserver.versions.watcher import ServedVersion

_SIGNATURE_DEF = "signature_def"
_LARGE_BYTES = 2**20


class PredictionService:
    """Finds the version, calls the request handler. Graph calls run in `executor`, so that the loop stays free.

    With a `batcher`, it runs those of Predict, Classify and Regress and merges them. `large_images` decodes those that
    would hold up others. A request has at most `most_rows` rows. When a caller leaves, what was not computed for it yet
    is left undone.
    """

    def __init__(
        self,
        models: ServedModels,
        executor: Executor,
        metrics: ModelServerMetrics,
        batcher: Batcher | None = None,
        *,
        large_images: LargeImages,
        most_rows: int,
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._executor = executor
        self._batcher = batcher
        self._large_images = large_images
        self._most_rows = most_rows

    def handler(self, calls: UnaryCalls) -> "grpc.GenericRpcHandler[Any, Any]":
        """Return what a gRPC server needs to offer this service."""
        counted = {
            "Predict": (self.predict, messages.PredictRequest, messages.PredictResponse),
            "Classify": (self.classify, messages.ClassificationRequest, messages.ClassificationResponse),
            "Regress": (self.regress, messages.RegressionRequest, messages.RegressionResponse),
            "MultiInference": (self.multi_inference, messages.MultiInferenceRequest, messages.MultiInferenceResponse),
        }
        methods = {
            name: calls.handler(self._metrics.counted(name, method), request_class, response_class, _traced_as(name))
            for name, (method, request_class, response_class) in counted.items()
        }
        methods["GetModelMetadata"] = calls.handler(
            *(self.get_model_metadata, messages.GetModelMetadataRequest, messages.GetModelMetadataResponse),
            _traced_as("GetModelMetadata"),
        )
        return grpc.method_handlers_generic_handler(messages.PREDICTION_SERVICE, methods)

    async def predict(self, request: Any) -> Any:
        """Respond to a PredictRequest with the version it names.

        Raises:
            ServingError: there is no such version, or it cannot serve this request.
        """
        return await self._respond(PREDICT, request)

    async def classify(self, request: Any) -> Any:
        """Respond to a ClassificationRequest with the version it names.

        Raises:
            ServingError: there is no such version, or it cannot serve this request.
        """
        return await self._respond(CLASSIFY, request)

    async def regress(self, request: Any) -> Any:
        """Respond to a RegressionRequest with the version it names.

        Raises:
            ServingError: there is no such version, or it cannot serve this request.
        """
        return await self._respond(REGRESS, request)

    async def multi_inference(self, request: Any) -> Any:
        """Respond to a MultiInferenceRequest with the version that its first task names.

        Raises:
            ServingError: there is no such version, or it cannot serve this request.
        """
        spec = request.tasks[0].model_spec if request.tasks else messages.ModelSpec()
        served = self._find(spec)
        check_examples(request.input, self._most_rows)
        with _cancelled_at_the_end() as token:
            response = await self._run(infer_all, served.model, request, [token], current_spans.get())
        for result in response.results:
            _name_version(result.model_spec, spec, served)
        return response

    async def get_model_metadata(self, request: Any) -> Any:
        """Respond with the signature definitions of a version, as a SignatureDefMap in an Any.

        Raises:
            ModelNotFoundError: there is no such version.
            BadInputError: another field than `signature_def` was requested, or none.
        """
        if not request.metadata_field:
            raise BadInputError("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise BadInputError(f"Metadata field {field} is not supported")
        spec = _spec_of(request)
        served = self._find(spec)
        response = messages.GetModelMetadataResponse()
        response.metadata[_SIGNATURE_DEF].Pack(served.model.signature_definitions)
        _name_version(response.model_spec, spec, served)
        return response

    async def _respond(self, handler: RequestHandler, request: Any) -> Any:
        spec = _spec_of(request)
        served = self._find(spec)
        handler.check_rows(served.model, request, self._most_rows)
        with _cancelled_at_the_end() as token:
            call = await self._read(handler, served.model, request)
            call = replace(call, tokens=[token], spans=current_spans.get())
            graph = functools.partial(self._run_graph, served.model)
            response = handler.respond(call, await self._large_images.run(served.model, call, graph))
        _name_version(response.model_spec, spec, served)
        return response

    async def _read(self, handler: RequestHandler, model: Model, request: Any) -> GraphCall:
        """Read a large request in a thread: its numbers may take a while, in which no other request is served."""
        if request_bytes.get() < _LARGE_BYTES:
            return handler.read(model, request)
        call: GraphCall = await self._run(handler.read, model, request)
        return call

    async def _run_graph(self, model: Model, call: GraphCall) -> GraphOutputs:
        if self._batcher:
            return await self._batcher.run(model, call)
        waiting = Waiting(call.spans)

        def begin() -> GraphOutputs:
            waiting.end()
            return model.call(call)

        try:
            outputs: GraphOutputs = await self._run(begin)
        finally:
            waiting.end()
        return outputs

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def _find(self, spec: Any) -> ServedVersion:
        if not spec.name:
            raise BadInputError("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":
            served = self._models.find_labelled(spec.name, spec.version_label)
        else:
            served = self._models.find(spec.name, spec.version.value if spec.HasField("version") else None)
        for span in current_spans.get():
            span.set_attributes({"graft.model": spec.name, "graft.version": str(served.number)})
        return served


@contextlib.contextmanager
def _cancelled_at_the_end() -> Iterator[CancellationToken]:
    """Give a token; at the end nobody waits any more, whether for the response is there or the caller left."""
    token = CancellationToken()
    try:
        yield token
    finally:
        token.cancel()


def _traced_as(method: str) -> str:
    """Return what OpenTelemetry calls the method, and so its spans."""
    return f"{messages.PREDICTION_SERVICE}/{method}"


def _spec_of(request: Any) -> Any:
    if not request.HasField("model_spec"):
        raise BadInputError("Missing ModelSpec")
    return request.model_spec


def _name_version(spec: Any, requested: Any, served: ServedVersion) -> None:
    spec.name = requested.name
    spec.version.value = served.number
