"""The bodies of error responses, as models: they are sent, and they appear in the OpenAPI description."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

PROBLEM_MEDIA_TYPE = "application/problem+json"

_Responses = dict[int | str, dict[str, Any]]

_PROBLEM_TEXTS = {
    400: "A parameter, a header or the body cannot be used",
    401: "The key or token is missing or not valid",
    403: "The key or token lacks the required scope",
    404: "There is no such model or version",
    408: "The body did not arrive in time",
    413: "The body, an image or the number of images is too large",
    415: "The type of the body or the image is not accepted",
    422: "The image is cut short or cannot be decoded",
    429: "The key has reached its limits",
    501: "The model does not describe itself",
    502: "The model server failed",
    503: "The model server is not available, or there are too many requests",
    504: "The model server took too long",
}
ACCESS = (401, 403, 429)
"""The statuses of requests that the caller is not allowed to make."""


class Problem(BaseModel):
    """An error in the native protocol, after RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:problem-type:graft:not_an_image",
                    "title": "This is not an image",
                    "status": 415,
                    "detail": "The body is not an image: it begins with '<!doctype'.",
                    "code": "not_an_image",
                    "request_id": "5a1f0c2e9b7d4e6f8a3b1c0d2e4f6a8b",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence: what was wrong, what was seen.")
    code: str = Field(description="The kind of error, for programs.")
    request_id: str


class ErrorBody(BaseModel):
    """An error in TensorFlow Serving's protocol and in Open Inference's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": "Malformed request: POST /v1/models/flowers"}]})

    error: str = Field(description="One sentence: what was wrong, what was seen, what to do.")


ERROR_MODELS: tuple[type[BaseModel], ...] = (Problem, ErrorBody)
"""The models that responses reference by name only.

Passing them as FastAPI's `model` would add a third of a millisecond to the start for each status of each route, and
would describe them as `application/json`.
"""


def problem_responses(*statuses: int) -> _Responses:
    """Return FastAPI's `responses` of a native route that may respond with these statuses."""
    return {status: _response(_PROBLEM_TEXTS[status], {PROBLEM_MEDIA_TYPE: Problem}) for status in statuses}


def error_responses(texts: Mapping[int, str]) -> _Responses:
    """Return FastAPI's `responses` of a route of another protocol; `texts` describe each status."""
    return {status: _response(text, {"application/json": ErrorBody}) for status, text in texts.items()}


def access_error_responses() -> _Responses:
    """Return the same for the statuses in `ACCESS`."""
    return error_responses({status: _PROBLEM_TEXTS[status] for status in ACCESS})


def _response(text: str, models: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    return {"description": text, "content": {kind: content_of(model) for kind, model in models.items()}}


def content_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return an OpenAPI media type object that references one of `ERROR_MODELS`."""
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
