"""Errors as responses: RFC 9457 problems in the native protocol, `{"error": ...}` in the others."""

import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from gateway.errors import (
    BadParameterError,
    ClientGoneError,
    GatewayError,
    MethodNotAllowedError,
    ModelServerFailedError,
    NoSuchPathError,
    RequestError,
)
from gateway.http.error_responses import PROBLEM_MEDIA_TYPE
from gateway.http.error_table import row_for
from gateway.http.json_text import write_json
from gateway.predict.request_context import context_of

TYPE_PREFIX = "urn:problem-type:graft:"

_RETRY_AFTER_SECONDS = "1"
_SHOWN_CHARACTERS = 50
_MOST_CHARACTERS = 2000
"""Of an error's text, which may quote what a caller sent: nobody reads 16 MB of it, and it waits in memory for those
who read slowly."""

_NODE = re.compile(r"\{\{(?:function_)?node [^{}]*\}\}\s*")  # not [^}]*, which is quadratic in beginnings
_NODES_BEHIND = "[[{{"

_Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

_logger = logging.getLogger(__name__)


def problem_response(request: Request, error: GatewayError) -> Response:
    """Return the error in the format of the request's protocol, and record its code as the request's outcome."""
    return respond_to_error(request.scope, error)


def respond_to_error(scope: Scope, error: GatewayError) -> Response:
    """Return the same for middleware, which only has the request's scope."""
    row, context = row_for(error), context_of(scope)
    context.outcome = row.code
    headers = dict(error.headers)
    if row.status == 503:
        headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
    if context.protocol != "native":
        body = write_json({"error": _shortened(error_sentence(error))})
        return Response(body, row.status, headers, "application/json")
    problem = {
        "type": TYPE_PREFIX + row.code,
        "title": row.title,
        "status": row.status,
        "detail": _shortened(str(error)),
        "code": row.code,
        "request_id": context.request_id,
    }
    return Response(write_json(problem), row.status, headers, PROBLEM_MEDIA_TYPE)


def error_sentence(error: GatewayError) -> str:
    """Return the message for the other protocols: the model server's own text if there is one."""
    return without_nodes(error.details) or str(error)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def without_nodes(details: str) -> str:
    """Return a text of the model server without its references to graph nodes."""
    return _NODE.sub("", details.partition(_NODES_BEHIND)[0]).rstrip()


def parameter_error(found: Mapping[str, Any], where: str) -> BadParameterError:
    """Return pydantic's error about a parameter as one sentence; `where` is `query`, `path` or `header`."""
    shown, message = str(found["input"])[:_SHOWN_CHARACTERS], str(found["msg"])
    sentence = f"The {where} parameter {found['loc'][-1]} cannot be {shown!r}; {message[0].lower()}{message[1:]}."
    return BadParameterError(sentence)


def exception_handlers() -> dict[int | type[Exception], _Handler]:
    """Return the handler for each kind of exception that can leave a route."""
    return {
        GatewayError: _respond_to_gateway_error,
        RequestValidationError: _respond_to_bad_parameter,
        HTTPException: _respond_to_http_exception,
        ClientDisconnect: _respond_to_disconnect,
        Exception: _respond_to_unexpected,
    }


async def _respond_to_gateway_error(request: Request, error: GatewayError) -> Response:
    if isinstance(error, ModelServerFailedError):  # the response does not show the cause, so log it
        _logger.warning("request %s: %s Cause: %s", context_of(request.scope).request_id, error, error.__cause__)
    return problem_response(request, error)


async def _respond_to_bad_parameter(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    return problem_response(request, parameter_error(first, first["loc"][0]))


async def _respond_to_http_exception(request: Request, error: HTTPException) -> Response:
    path = request.url.path[:_SHOWN_CHARACTERS]
    found: dict[int, GatewayError] = {
        404: NoSuchPathError(f"There is nothing at {path}."),
        405: MethodNotAllowedError(f"{request.method} is not allowed at {path}."),
    }
    response = problem_response(request, found.get(error.status_code, RequestError("The request is malformed.")))
    response.headers.update(error.headers or {})  # Allow
    return response


async def _respond_to_disconnect(request: Request, error: ClientDisconnect) -> Response:
    return problem_response(request, ClientGoneError("The connection was closed before the request was complete."))


async def _respond_to_unexpected(request: Request, error: Exception) -> Response:
    response = problem_response(
        request, GatewayError("The gateway failed to process the request; the failure was logged.")
    )
    response.headers["X-Request-ID"] = context_of(
        request.scope
    ).request_id  # this response does not pass through the middleware
    response.headers["Connection"] = "close"  # the server closes it anyway after an unhandled exception
    return response
