"""`tensorflow.serving.PredictionService`: Predict and GetModelMetadata."""

import asyncio
from concurrent.futures import Executor
from typing import Any

import grpc

from contract.serving_messages import (
    PREDICTION_SERVICE,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)
from modelserver.errors import BadInputError
from modelserver.prediction import predict
from modelserver.status_codes import unary_handler
from modelserver.version_watcher import ServedVersion, VersionWatcher

_SIGNATURE_DEF = "signature_def"


class PredictionService:
    """Converts in, calls the story, converts out. Graph calls run in `executor`, so that the loop stays free."""

    def __init__(self, versions: VersionWatcher, executor: Executor) -> None:
        self._versions = versions
        self._executor = executor

    def handler(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """Return what a gRPC server needs to offer this service."""
        methods = {
            "Predict": unary_handler(self.predict, PredictRequest, PredictResponse),
            "GetModelMetadata": unary_handler(
                self.get_model_metadata, GetModelMetadataRequest, GetModelMetadataResponse
            ),
        }
        return grpc.method_handlers_generic_handler(PREDICTION_SERVICE, methods)

    async def predict(self, request: Any) -> Any:
        """Answer a PredictRequest on the version it asks for.

        Raises:
            ModelServerError: there is no such version, or it cannot answer this request.
        """
        served = self._find(request)
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._executor, predict, served.model, request)
        _name_version(response, request, served)
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
        served = self._find(request)
        response = GetModelMetadataResponse()
        response.metadata[_SIGNATURE_DEF].Pack(served.model.signature_definitions)
        _name_version(response, request, served)
        return response

    def _find(self, request: Any) -> ServedVersion:
        if not request.HasField("model_spec"):
            raise BadInputError("Missing ModelSpec")
        spec = request.model_spec
        if not spec.name:
            raise BadInputError("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":  # this server assigns no labels
            raise BadInputError(f"Unrecognized servable version label: {spec.version_label}")
        return self._versions.find(spec.name, spec.version.value if spec.HasField("version") else None)


def _name_version(response: Any, request: Any, served: ServedVersion) -> None:
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = served.number
