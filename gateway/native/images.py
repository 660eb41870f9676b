"""The native protocol: images as a raw body, files of a form or JSON; labels as JSON."""

from typing import Annotated, Any

import filetype
from fastapi import Depends, Header, Query, Request, Response

from gateway.errors import UnsupportedContentTypeError
from gateway.http.bodies import read_whole
from gateway.http.error_responses import ErrorBody, content_of, problem_responses
from gateway.http.error_table import row_for
from gateway.http.forms import read_files
from gateway.http.json_bodies import off_loop, read_json
from gateway.http.json_text import write_json
from gateway.http.problems import problem_response
from gateway.http.protocol_of_path import refuse_misplaced_body
from gateway.http.routing import PlainRoute, new_router
from gateway.native.json_images import ImagesBody, read_images
from gateway.native.parameters import DEFAULT_QUERY, PredictModelQuery, PredictQuery
from gateway.native.responses import PredictResponse
from gateway.observability.metrics import Metrics
from gateway.predict.prediction import (
    EncodedImage,
    ImagePredictions,
    Prediction,
    PredictRequest,
    Rejection,
    UnreadableImage,
    predict,
)
from gateway.predict.request_context import RequestContext, context_of

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SHOWN_CHARACTERS = 1000
_FORM = "application/x-www-form-urlencoded"
_FILES = {"type": "object", "properties": {"file": {"type": "array", "items": _BINARY["schema"]}}}
_OTHER_BODIES = {"image/*": _BINARY, "application/octet-stream": _BINARY, "multipart/form-data": {"schema": _FILES}}
_RESPONSES = problem_responses(400, 401, 403, 404, 408, 413, 415, 422, 429, 501, 502, 503, 504)
# the response to a misplaced request of TensorFlow Serving's protocol
_RESPONSES[400]["content"]["application/json"] = content_of(ErrorBody)

_Timeout = Annotated[
    int | None, Header(alias="X-Request-Timeout-Ms", ge=0, description="Your deadline in milliseconds.")
]


async def _describe(body: ImagesBody, wait: _Timeout = None) -> None:
    """Describe what both routes parse themselves."""


async def _describe_query(model: str, query: Annotated[PredictQuery, Query()]) -> None: ...


async def _describe_model_query(query: Annotated[PredictModelQuery, Query()]) -> None: ...


predict_router = new_router("Predict", route_class=PlainRoute, dependencies=[Depends(_describe)])
"""`POST /v1/predict` and `POST /v1/models/{model}/predict`."""


@predict_router.post(
    "/v1/models/{model}/predict",
    operation_id="predict_with_model",
    dependencies=[Depends(_describe_query)],
    summary="Classify images with one model",
    response_model=PredictResponse,
    response_description="A prediction for each image",
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"required": True, "content": _OTHER_BODIES}},
)
@predict_router.post(
    "/v1/predict",
    operation_id="predict",
    dependencies=[Depends(_describe_model_query)],
    summary="Classify images",
    response_model=PredictResponse,
    response_description="A prediction for each image",
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"required": True, "content": _OTHER_BODIES}},
)
async def predict_images(request: Request) -> Response:
    """Send one image as the body, or several as files of a form or as base64 in JSON."""
    context = context_of(request.scope)
    predict_request = _read_request(request, context)
    context.model = predict_request.model
    context.services.admission.check_room()
    images = await _read_images(request, context)
    context.images = len(images)
    response = await predict(images, predict_request, context)
    _count(response, context.services.metrics)
    only = response.entries[0]
    if len(response.entries) == 1 and isinstance(only, Rejection):
        return problem_response(request, only.reason)
    return Response(write_json(_to_json(response, context.request_id)), media_type="application/json")


def _read_request(request: Request, context: RequestContext) -> PredictRequest:
    query = PredictModelQuery.read(request.query_params) if request.scope["query_string"] else DEFAULT_QUERY
    named = request.path_params.get("model") or query.model
    return PredictRequest(named or context.services.settings.models[0], query.version, query.label, query.top_k)


async def _read_images(request: Request, context: RequestContext) -> list[EncodedImage | UnreadableImage]:
    settings = context.services.settings
    content_type = request.headers.get("content-type", "application/octet-stream")
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [EncodedImage(await read_whole(request))]
    if kind == "multipart/form-data":
        body = await read_whole(request)
        return [*await off_loop(len(body), read_files, content_type, body, settings.max_images)]
    if kind == "application/json":
        body = await read_whole(request)
        content = await off_loop(len(body), read_json, body, settings)
        refuse_misplaced_body(content, request.method, context)
        return await off_loop(len(body), read_images, content, settings.max_images)
    if kind == _FORM:
        body = await read_whole(request)
        if filetype.is_image(body):  # sent with `curl --data-binary`, which claims this type unless told otherwise
            return [EncodedImage(body)]
        raise UnsupportedContentTypeError(
            f"A body of type {_FORM!r}, which curl sends by default, is accepted if it is an image, and this is not an "
            "image; send the content-type of what it is, such as application/json."
        )
    raise UnsupportedContentTypeError(
        f"A body of type {kind[:100]!r} is not accepted; send an image as image/* or application/octet-stream, or "
        "several as multipart/form-data or application/json."
    )


def _count(response: ImagePredictions, metrics: Metrics) -> None:
    for entry in response.entries:
        outcome = row_for(entry.reason).code if isinstance(entry, Rejection) else "ok"
        metrics.images.count(response.model, outcome)
        if outcome != "ok" and len(response.entries) > 1:  # the rejection of a single image is the request's own
            metrics.requests.count_rejection(outcome)


def _to_json(response: ImagePredictions, request_id: str) -> dict[str, Any]:
    return {
        "model": response.model,
        "version": str(response.version),  # an int64, which a JavaScript number cannot hold
        "digest": response.digest,
        "request_id": request_id,
        "predictions": [_entry_to_json(entry) for entry in response.entries],
    }


def _entry_to_json(entry: Prediction | Rejection) -> dict[str, Any]:
    if isinstance(entry, Rejection):
        name = entry.name and entry.name[:_SHOWN_CHARACTERS]
        reason = {"code": row_for(entry.reason).code, "detail": str(entry.reason), "name": name}
        return {"error": reason}
    top = [{"label": likely.label, "probability": likely.probability} for likely in entry.top]
    return {**top[0], "top": top}
