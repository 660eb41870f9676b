"""TensorFlow Serving's REST API: predict, classify, regress, status and metadata, by version and by label.

An existing client only changes its address: responses follow recorded responses of TensorFlow Serving. Images are not
checked here but only by the model's graph, since any model may be used.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Scope

from gateway.errors import BadParameterError, GatewayError
from gateway.http.error_responses import access_error_responses, error_responses
from gateway.http.json_bodies import check_length
from gateway.http.routing import PlainRoute, new_router
from gateway.predict.model_signatures import ModelSignatures
from gateway.predict.request_context import RequestContext, context_of
from gateway.tensorflow import paths
from gateway.tensorflow.bodies import read_body
from gateway.tensorflow.error_bodies import reworded
from gateway.tensorflow.requests import TensorFlowRequests
from gateway.tensorflow.responses import (
    ExamplesRequest,
    MetadataResponse,
    ResultsResponse,
    StatusResponse,
    TensorFlowPredictRequest,
    TensorFlowPredictResponse,
)

_ROUTE_LABEL = "/v1/models/{target:path}"  # in metrics: one for all, as the Prometheus rules expect
_ANY_CASE = re.compile(r"(?i:/v1/models)/.*", re.DOTALL)
_BAD_REQUEST = """<HTML><HEAD>
<TITLE>400 Bad Request</TITLE>
</HEAD><BODY>
<H1>Bad Request</H1>
</BODY></HTML>
"""
_JSON = "application/json"

_CALL_ERRORS = {
    400: "The request cannot be understood, or the model rejects it",
    404: "There is no such model or version",
    502: "The model server failed",
    503: "The model server is not available, or there are too many requests",
    504: "The model server took too long",
}
_BODY_ERRORS = {
    408: "The body did not arrive in time",
    413: "The body or the response is too large",
    415: "The body is compressed with something other than gzip",
    501: "A type cannot be read from JSON, or the model server does not support this kind of request",
}


async def _describe_predict(body: TensorFlowPredictRequest) -> None: ...


async def _describe_examples(body: ExamplesRequest) -> None: ...


class _Operation(NamedTuple):
    """The description of one verb of the API; `body` declares the request body."""

    suffix: str
    summary: str
    response: type[BaseModel]
    body: Callable[..., Awaitable[None]] | None = None


_OPERATIONS = {
    "predict": _Operation(":predict", "The outputs of any model", TensorFlowPredictResponse, _describe_predict),
    "classify": _Operation(":classify", "Labels and scores of each example", ResultsResponse, _describe_examples),
    "regress": _Operation(":regress", "A number for each example", ResultsResponse, _describe_examples),
    "status": _Operation("", "The versions of the model and their states", StatusResponse),
    "metadata": _Operation("/metadata", "The signatures of one version", MetadataResponse),
}

_NAME = "^[^/:]+$"


async def _describe_model(model: Annotated[str, Path(pattern=_NAME)]) -> None: ...


async def _describe_version(version: Annotated[int, Path(ge=0, le=2**63 - 1)]) -> None: ...


async def _describe_label(label: Annotated[str, Path(pattern=_NAME)]) -> None: ...


_VERSIONS = {
    "": ("", [Depends(_describe_model)]),
    "/versions/{version}": ("_of_version", [Depends(_describe_model), Depends(_describe_version)]),
    "/labels/{label}": ("_by_label", [Depends(_describe_model), Depends(_describe_label)]),
}


class _DescribedRoute(PlainRoute):
    """One of the operations, which are all one route in metrics: the router's endpoint parses the target by itself."""

    label = _ROUTE_LABEL


class _TargetRoute(PlainRoute):
    """Matches every path under `/v1/models/`, for all methods and without regard to case."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route matches, and what it adds to the scope."""
        if scope["type"] != "http" or _ANY_CASE.fullmatch(scope["path"]) is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "route": self}

    def _check_method(self, scope: Scope) -> None:
        """Allow all methods: an unknown one is a malformed request in this API."""


def tensorflow_router(signatures: ModelSignatures) -> APIRouter:
    """Return the router of `/v1/models/`; an unknown path or method there is a malformed request.

    Other routes with this prefix must come before it. All its routes have the same endpoint, which parses the target as
    it was sent; each operation has a route of its own only to be described.
    """
    respond = _Endpoint(signatures).respond
    router = new_router("TensorFlow Serving", route_class=_DescribedRoute, responses=access_error_responses())
    for verb, operation in _OPERATIONS.items():
        sends = operation.body is not None
        for version, (id_suffix, dependencies) in _VERSIONS.items():
            router.add_api_route(
                f"/v1/models/{{model}}{version}{operation.suffix}",
                respond,
                methods=["POST" if sends else "GET"],
                operation_id=f"tensorflow_{verb}{id_suffix}",
                summary=operation.summary,
                dependencies=[*dependencies, *([Depends(operation.body)] if sends else [])],
                response_model=operation.response,
                response_description=operation.summary,
                responses=error_responses(_CALL_ERRORS | _BODY_ERRORS if sends else _CALL_ERRORS),
            )
    router.add_api_route(
        _ROUTE_LABEL, respond, include_in_schema=False, response_model=None, route_class_override=_TargetRoute
    )
    return router


class _Endpoint:
    """The endpoint of every request of the API."""

    def __init__(self, signatures: ModelSignatures) -> None:
        self._requests = TensorFlowRequests(signatures)

    async def respond(self, request: Request) -> Response:
        """An existing client of TensorFlow Serving only changes its address: docs/predict-api.md."""
        context = context_of(request.scope)
        if request.method == "OPTIONS":  # the HTTP library of TensorFlow Serving rejects these
            return Response(status_code=400, headers={"content-type": "text/html; charset=ISO-8859-1"})
        raw_target = context.target.decode("latin-1")
        if paths.has_broken_escape(raw_target):
            return Response(_BAD_REQUEST, 400, {"content-type": "text/html"})
        try:
            target = paths.read_target(request.method, raw_target)
        except BadParameterError:  # TensorFlow Serving sends no body for a version number that is too large
            return Response(status_code=400, media_type=_JSON)
        context.model = target.model
        body = await _read_body(request, context) if request.method == "POST" else b""
        try:
            response = await getattr(self._requests, target.verb)(target, body, context)
        except GatewayError as error:
            other = reworded(error, target)
            if other is error:
                raise
            raise other from error
        return Response(response, media_type=_JSON)


async def _read_body(request: Request, context: RequestContext) -> bytes:
    context.services.admission.check_room()
    settings = context.services.settings
    body = await read_body(request, min(settings.max_body_bytes, settings.max_json_bytes))
    check_length(len(body), settings.max_json_bytes)
    return body
