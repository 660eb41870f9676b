"""`tensorflow.serving.PredictionService`: all that may be asked of a model's graph."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import grpc

from contract import serving_messages as messages
from modelserver.batching.batcher import Batcher
from modelserver.errors import BadInputError
from modelserver.metrics import ModelServerMetrics
from modelserver.requests.handlers import CLASSIFY, PREDICT, REGRESS, Story
from modelserver.requests.multi_inference import infer_all
from modelserver.status_codes import unary_handler
from modelserver.versions.served_models import ServedModels
from modelserver.versions.watcher import ServedVersion

_SIGNATURE_DEF = "signature_def"


class PredictionService:
    """Converts in, calls the story, converts out. Graph calls run in `executor`, so that the loop stays free.

    With a `batcher`, it runs those of Predict, Classify and Regress and merges them.
    """

    def __init__(
        self, models: ServedModels, executor: Executor, metrics: ModelServerMetrics, batcher: Batcher | None = None
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._executor = executor
        self._batcher = batcher

    def handler(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """Return what a gRPC server needs to offer this service."""
        counted = {
            "Predict": (self.predict, messages.PredictRequest, messages.PredictResponse),
            "Classify": (self.classify, messages.ClassificationRequest, messages.ClassificationResponse),
            "Regress": (self.regress, messages.RegressionRequest, messages.RegressionResponse),
            "MultiInference": (self.multi_inference, messages.MultiInferenceRequest, messages.MultiInferenceResponse),
        }
        methods = {
            name: unary_handler(self._metrics.counted(name, answer), request_class, response_class)
            for name, (answer, request_class, response_class) in counted.items()
        }
        methods["GetModelMetadata"] = unary_handler(
            self.get_model_metadata, messages.GetModelMetadataRequest, messages.GetModelMetadataResponse
        )
        return grpc.method_handlers_generic_handler(messages.PREDICTION_SERVICE, methods)

    async def predict(self, request: Any) -> Any:
        """Answer a PredictRequest on the version it asks for.

        Raises:
            ModelServerError: there is no such version, or it cannot answer this request.
        """
        return await self._answer(PREDICT, request)

    async def classify(self, request: Any) -> Any:
        """Answer a ClassificationRequest on the version it asks for.

        Raises:
            ModelServerError: there is no such version, or it cannot answer this request.
        """
        return await self._answer(CLASSIFY, request)

    async def regress(self, request: Any) -> Any:
        """Answer a RegressionRequest on the version it asks for.

        Raises:
            ModelServerError: there is no such version, or it cannot answer this request.
        """
        return await self._answer(REGRESS, request)

    async def multi_inference(self, request: Any) -> Any:
        """Answer a MultiInferenceRequest on the version that its first task asks for.

        Raises:
            ModelServerError: there is no such version, or it cannot answer this request.
        """
        spec = request.tasks[0].model_spec if request.tasks else messages.ModelSpec()
        served = self._find(spec)
        response = await self._run(infer_all, served.model, request)
        for result in response.results:
            _name_version(result.model_spec, spec, served)
        return response

    async def get_model_metadata(self, request: Any) -> Any:
        """Answer with the signature definitions of a version, as a SignatureDefMap in an Any.

        Raises:
            ModelNotFoundError: there is no such version.
            BadInputError: another field than `signature_def` was asked for, or none.
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

    async def _answer(self, story: Story, request: Any) -> Any:
        spec = _spec_of(request)
        served = self._find(spec)
        if self._batcher is None:
            response = await self._run(story.answer, served.model, request)
        else:
            call = story.read(served.model, request)
            response = story.respond(call, await self._batcher.run(served.model, call))
        _name_version(response.model_spec, spec, served)
        return response

    async def _run(self, story: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, story, *arguments)

    def _find(self, spec: Any) -> ServedVersion:
        if not spec.name:
            raise BadInputError("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":
            return self._models.find_labelled(spec.name, spec.version_label)
        return self._models.find(spec.name, spec.version.value if spec.HasField("version") else None)


def _spec_of(request: Any) -> Any:
    if not request.HasField("model_spec"):
        raise BadInputError("Missing ModelSpec")
    return request.model_spec


def _name_version(answered: Any, asked: Any, served: ServedVersion) -> None:
    answered.name = asked.name
    answered.version.value = served.number
