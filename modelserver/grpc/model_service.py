"""`tensorflow.serving.ModelService`: the states of versions, and which models there are."""

import asyncio
from typing import Any

import grpc

from contract.serving_messages import (
    MODEL_SERVICE,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ReloadConfigRequest,
    ReloadConfigResponse,
    VersionState,
)
from modelserver.errors import BadInputError, NotAllowedError
from modelserver.grpc.unary_calls import UnaryCalls
from modelserver.status_codes import error_code
from modelserver.versions.base_paths import BasePathRoots
from modelserver.versions.configs import configs_of_request
from modelserver.versions.reloading import Reloading
from modelserver.versions.served_models import ServedModels


class ModelService:
    """Converts requests and responses; the rest is done by `ServedModels` and `Reloading`.

    Requests may have models served from the `roots`; where these are None, no request changes what is served.
    """

    def __init__(self, models: ServedModels, reloading: Reloading, roots: BasePathRoots | None) -> None:
        self._models = models
        self._reloading = reloading
        self._roots = roots

    def handler(self, calls: UnaryCalls) -> "grpc.GenericRpcHandler[Any, Any]":
        """Return what a gRPC server needs to offer this service."""
        status = calls.handler(self.get_model_status, GetModelStatusRequest, GetModelStatusResponse)
        reload = calls.handler(self.handle_reload_config, ReloadConfigRequest, ReloadConfigResponse)
        methods = {"GetModelStatus": status, "HandleReloadConfigRequest": reload}
        return grpc.method_handlers_generic_handler(MODEL_SERVICE, methods)

    async def get_model_status(self, request: Any) -> Any:
        """Respond with the states of one version or of all, newest first; with none before the first was found.

        A label is ignored, as TensorFlow Serving does.

        Raises:
            ModelNotFoundError: there is no such model, or the version was never seen.
            BadInputError: the request names no model.
        """
        if not request.HasField("model_spec"):
            raise BadInputError("Missing ModelSpec")
        spec = request.model_spec
        number = spec.version.value if spec.HasField("version") else None
        response = GetModelStatusResponse()
        for seen in self._models.statuses(spec.name, number):
            status = response.model_version_status.add(version=seen.number, state=VersionState.Value(seen.state))
            status.status.SetInParent()  # present and empty where all is well
            if seen.error:
                status.status.error_code = error_code(seen.error)
                status.status.error_message = str(seen.error)
        return response

    async def handle_reload_config(self, request: Any) -> Any:
        """Serve the models of the request, and no others; respond once their versions were loaded or failed to.

        Raises:
            NotAllowedError: requests may not change it, or not to a base path of this kind.
            BadInputError: the configuration cannot be used; nothing was changed.
            ServingError: it was not applied, or only in part: see `Reloading.apply`.
        """
        if self._roots is None:
            raise NotAllowedError(
                "HandleReloadConfigRequest is off in this server; start it with --allow_reload_requests, or with "
                "client_verify in its --ssl_config_file, or change the file of --model_config_file."
            )
        configs = configs_of_request(request.config, self._models.names)
        for config in configs:
            await asyncio.to_thread(self._roots.check, config.name, config.base_path)
        await self._reloading.apply(configs)
        response = ReloadConfigResponse()
        response.status.SetInParent()  # present and empty where all is well
        return response
