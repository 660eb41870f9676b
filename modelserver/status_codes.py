"""The border between our errors and gRPC's status codes."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from modelserver.errors import (
    BadInputError,
    BatchedOutputError,
    GraphError,
    LoadError,
    ModelNotFoundError,
    OutOfResourcesError,
    QueueFullError,
    ServingError,
    SettingError,
    SignatureNotFoundError,
    UnsupportedMethodError,
    UnsupportedTypeError,
)

STATUS_OF: dict[type[ServingError], grpc.StatusCode] = {
    ServingError: grpc.StatusCode.INTERNAL,
    SettingError: grpc.StatusCode.FAILED_PRECONDITION,
    LoadError: grpc.StatusCode.FAILED_PRECONDITION,
    ModelNotFoundError: grpc.StatusCode.NOT_FOUND,
    SignatureNotFoundError: grpc.StatusCode.FAILED_PRECONDITION,
    BadInputError: grpc.StatusCode.INVALID_ARGUMENT,
    UnsupportedTypeError: grpc.StatusCode.UNIMPLEMENTED,
    UnsupportedMethodError: grpc.StatusCode.UNIMPLEMENTED,
    OutOfResourcesError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    QueueFullError: grpc.StatusCode.UNAVAILABLE,
    BatchedOutputError: grpc.StatusCode.FAILED_PRECONDITION,
    GraphError: grpc.StatusCode.INTERNAL,
}

# Details are sent percent-encoded in a trailer, and clients reject trailers over 8 KB: a longer text would turn
# INVALID_ARGUMENT into RESOURCE_EXHAUSTED on their side.
_MAX_DETAILS = 2000


def error_code(error: ServingError) -> int:
    """Return the number of the error's status, the same in gRPC and in `tensorflow.error.Code`."""
    number: int = STATUS_OF[type(error)].value[0]
    return number


def unary_handler(
    method: Callable[[Any], Awaitable[Any]], request_class: Any, response_class: Any
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a gRPC handler that calls `method` and turns our errors into status codes."""

    async def behaviour(request: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        try:
            return await method(request_class.FromString(request))
        except DecodeError:  # left to gRPC, this would be UNKNOWN with the name of a Python class
            await context.abort(grpc.StatusCode.INTERNAL, "The request is not a message of this method.")
        except ServingError as error:
            await context.abort(STATUS_OF[type(error)], str(error)[:_MAX_DETAILS])

    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        response_serializer=response_class.SerializeToString,
    )
