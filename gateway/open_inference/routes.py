"""The Open Inference Protocol, version 2, over HTTP, with its binary tensor extension, for any model.

Beyond the protocol, the parameter `signature_name` of an inference request, and the query parameter of the same name
of a metadata request, select a signature of the model; the default is `serving_default`.
"""

import re
from importlib.metadata import version as version_of
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic_core import to_json

from contract.serving_messages import PredictRequest
from gateway.backend.datatypes import name_of
from gateway.backend.model_client import fill_spec, output_of
from gateway.errors import BadParameterError, ModelServerFailedError, NotReadyError, UnsupportedContentTypeError
from gateway.http.bodies import read_whole
from gateway.http.error_responses import access_error_responses, error_responses
from gateway.http.json_bodies import off_loop
from gateway.http.routing import Context, OpenRoute, PlainRoute, new_router
from gateway.open_inference.inputs import read_inputs
from gateway.open_inference.outputs import write_output
from gateway.open_inference.requests import (
    LENGTH_HEADER,
    InferenceRequest,
    ParsedRequest,
    read_request,
    wanted_outputs,
)
from gateway.open_inference.responses import (
    InferenceResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from gateway.predict.image_guard import refuse_costly_images
from gateway.predict.model_signatures import ModelSignatures, Signature, TensorSpec
from gateway.predict.request_context import RequestContext, context_of
from gateway.predict.row_limit import refuse_many_rows
from gateway.predict.tensor_check import predict_tensors

_VERSION = re.compile(r"[0-9]{1,19}")
_MAX_VERSION = 2**63 - 1
_SHOWN_CHARACTERS = 50

_TAG = "Open Inference Protocol"
_OF_MODEL, _OF_VERSION = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
_CALL_ERRORS = {
    400: "The request, a header or a tensor cannot be used",
    404: "There is no such model or version",
    502: "The model server failed",
    503: "The model server is not available, or there are too many requests",
    504: "The model server took too long",
}
_READY_ERRORS = {
    400: "The version is not a number",
    404: "There is no such model",
    503: "The model or its version is not available",
}
_BODY_ERRORS = {
    408: "The body did not arrive in time",
    413: "The body or the response is too large",
    415: "The body is compressed",
}
_BINARY = {
    "application/octet-stream": {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": f"The JSON object, as long as {LENGTH_HEADER} says, then the binary data of its tensors.",
        }
    }
}
_LENGTH = {LENGTH_HEADER: {"schema": {"type": "integer"}, "description": "Set if an output is binary."}}
_INFER_RESPONSES = {
    **error_responses(_CALL_ERRORS | _BODY_ERRORS),
    200: {"content": _BINARY, "headers": _LENGTH},
}

_ModelPath = Annotated[str, Path()]
_VersionPath = Annotated[str, Path(pattern="^[0-9]{1,19}$")]
_LengthHeader = Annotated[int | None, Header(alias=LENGTH_HEADER, ge=0)]


async def _describe_model(model: _ModelPath) -> None: ...


async def _describe_version(model: _ModelPath, version: _VersionPath) -> None: ...


async def _describe_request(body: InferenceRequest, length: _LengthHeader = None) -> None: ...


class ModelVersion(NamedTuple):
    """The model that a path names, and its version; None means the latest."""

    model: str
    version: int | None


async def _read_path(request: Request) -> ModelVersion:
    """Return the model and version in the path, and record the model in the request's context.

    Raises:
        BadParameterError: the version is not a number.
    """
    model: str = request.path_params["model"]
    context_of(request.scope).model = model
    text: str | None = request.path_params.get("version")
    if text is None:
        return ModelVersion(model, None)
    if not _VERSION.fullmatch(text) or int(text) > _MAX_VERSION:
        raise BadParameterError(f"A version is a whole number up to {_MAX_VERSION}, not {text[:_SHOWN_CHARACTERS]!r}.")
    return ModelVersion(model, int(text))


_Wanted = Annotated[ModelVersion, Depends(_read_path)]


def open_inference_router(signatures: ModelSignatures) -> APIRouter:
    """Return the router of `/v2`, except for the server's health."""
    endpoints = _ModelEndpoints(signatures)
    router = new_router(_TAG, responses=access_error_responses())
    for prefix, suffix, describe in ((_OF_MODEL, "", _describe_model), (_OF_VERSION, "_of_version", _describe_version)):
        router.add_api_route(
            f"{prefix}/infer",
            endpoints.infer,
            methods=["POST"],
            route_class_override=PlainRoute,
            operation_id=f"open_inference_infer{suffix}",
            summary="The outputs of any model",
            dependencies=[Depends(describe), Depends(_describe_request)],
            response_model=InferenceResponse,
            response_description="The outputs of the version that was used",
            responses=_INFER_RESPONSES,
            openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
        )
        router.add_api_route(
            f"{prefix}/ready",
            is_model_ready,
            operation_id=f"open_inference_is_model_ready{suffix}",
            summary="The model is available",
            dependencies=[Depends(describe)],
            responses=error_responses(_READY_ERRORS),
        )
        router.add_api_route(
            prefix,
            endpoints.show_model,
            operation_id=f"open_inference_show_model{suffix}",
            summary="The model's versions, and the inputs and outputs of one signature",
            dependencies=[Depends(describe)],
            response_model_exclude_unset=True,
            responses=error_responses(_CALL_ERRORS),
        )
    router.add_api_route(
        "/v2",
        show_server,
        operation_id="open_inference_show_server",
        summary="The server's name, version and extensions",
    )
    return router


server_health_router = new_router(_TAG, route_class=OpenRoute)
"""`GET /v2/health/live` and `GET /v2/health/ready`, which need no key."""


async def show_server() -> ServerMetadata:
    """Return the server's name, version and extensions."""
    return ServerMetadata(name="graft", version=version_of("graft-serving"), extensions=["binary_tensor_data"])


@server_health_router.get(
    "/v2/health/live", operation_id="open_inference_is_server_live", summary="The gateway responds"
)
async def is_server_live() -> ServerLive:
    """Report that the gateway responds."""
    return ServerLive(live=True)


@server_health_router.get(
    "/v2/health/ready",
    operation_id="open_inference_is_server_ready",
    summary="Every model is available",
    responses=error_responses({503: "A model is not available"}),
)
async def is_server_ready(request: Request, context: Context) -> ServerReady:
    """Report whether every model is available: 503 if one is not, or if the gateway is stopping."""
    _refuse_if_stopping(request)
    missing = [state.name for state in context.services.versions.states if not state.available]
    if missing:
        raise NotReadyError(f"No version of the model {', '.join(missing)} is available.")
    return ServerReady(ready=True)


async def is_model_ready(request: Request, context: Context, wanted: _Wanted) -> ModelReady:
    """Report whether the model, or one version of it, is available: 503 if not, or if the gateway is stopping."""
    _refuse_if_stopping(request)
    state = context.services.versions.state(wanted.model)
    if not state.available:
        raise NotReadyError(f"No version of the model {wanted.model} is available.")
    if wanted.version is not None and wanted.version not in state.available:
        raise NotReadyError(f"Version {wanted.version} of the model {wanted.model} is not available.")
    return ModelReady(name=wanted.model, ready=True)


def _refuse_if_stopping(request: Request) -> None:
    if request.app.state.stopping:
        raise NotReadyError("The gateway is stopping.")


class _ModelEndpoints:
    """The endpoints that need the models' signatures."""

    def __init__(self, signatures: ModelSignatures) -> None:
        self._signatures = signatures

    async def show_model(self, context: Context, wanted: _Wanted, signature_name: str = "") -> ModelMetadata:
        """Return the model's versions, and the inputs and outputs of one signature."""
        signature = await self._signatures.signature(wanted.model, wanted.version, signature_name, context)
        versions = context.services.versions.state(wanted.model).available or (signature.version,)
        return ModelMetadata(
            name=wanted.model,
            versions=[str(number) for number in versions],
            platform="tensorflow_savedmodel",
            inputs=[_tensor_metadata(key, spec) for key, spec in signature.inputs.items()],
            outputs=[_tensor_metadata(key, spec) for key, spec in signature.outputs.items()],
            parameters={"signature_name": signature.name},
        )

    async def infer(self, request: Request) -> Response:
        """Send tensors as JSON, or as JSON followed by their binary data."""
        context = context_of(request.scope)
        wanted = await _read_path(request)
        context.services.versions.state(wanted.model)  # the body is not read if there is no such model
        context.services.admission.check_room()
        parsed = await _read_request(request, context)
        name = parsed.parameters.signature_name
        signature = await self._signatures.signature(wanted.model, wanted.version, name, context)
        rows = {given.name: given.shape[0] for given in parsed.inputs if given.shape}
        refuse_many_rows(rows, signature.inputs, context.services.settings.max_images)
        tensors = await off_loop(parsed.size, read_inputs, parsed.inputs, parsed.binary, signature)
        most_pixels = context.services.settings.max_request_pixels
        await off_loop(parsed.size, refuse_costly_images, tensors, most_pixels)
        message = PredictRequest(inputs=tensors, output_filter=wanted_outputs(parsed, signature))
        fill_spec(message.model_spec, wanted.model, wanted.version, signature=signature.name)
        response = await predict_tensors(message, signature, context)
        _check_types(response, signature)
        return await off_loop(response.ByteSize(), _respond, parsed, response)


async def _read_request(request: Request, context: RequestContext) -> ParsedRequest:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedContentTypeError(
            f"A body compressed with {encoding[:_SHOWN_CHARACTERS]!r} is not accepted; send it as it is."
        )
    settings = context.services.settings
    body = await read_whole(request)
    return await off_loop(len(body), read_request, body, request.headers.get(LENGTH_HEADER), settings)


def _tensor_metadata(name: str, spec: TensorSpec) -> TensorMetadata:
    shape = spec.shape or ()
    if spec.shape is None:
        return TensorMetadata(name=name, datatype=name_of(spec.dtype), shape=shape, parameters={"any_shape": True})
    return TensorMetadata(name=name, datatype=name_of(spec.dtype), shape=shape)


def _check_types(response: Any, signature: Signature) -> None:
    """Reject a response whose types differ from the signature's, unless a newer version gave it."""
    if response.model_spec.version.value != signature.version:
        return
    for name, tensor in response.outputs.items():
        if name not in signature.outputs or tensor.dtype != signature.outputs[name].number:
            raise ModelServerFailedError(f"The model server's response does not have the output {name} as declared.")


def _respond(parsed: ParsedRequest, response: Any) -> Response:
    """Return the outputs in the requested order, or else sorted by name."""
    spec = response.model_spec
    called = parsed.outputs or [None for _ in response.outputs]
    names = [output.name for output in parsed.outputs] or sorted(response.outputs)
    written = [
        write_output(name, output_of(response, name), binary=parsed.wants_binary(output))
        for name, output in zip(names, called, strict=True)
    ]
    content: dict[str, Any] = {"model_name": spec.name, "model_version": str(spec.version.value)}
    if parsed.id is not None:
        content["id"] = parsed.id
    content["outputs"] = [described for described, _ in written]
    head = to_json(content)
    if not any("parameters" in described for described, _ in written):
        return Response(head, media_type="application/json")
    body = b"".join((head, *(raw for _, raw in written)))
    return Response(body, headers={LENGTH_HEADER: str(len(head))}, media_type="application/octet-stream")
