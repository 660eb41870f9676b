"""The border between our errors and gRPC's status codes."""

import grpc

from modelserver.errors import (
    BadInputError,
    BatchedOutputError,
    CallCancelledError,
    GraphError,
    LoadError,
    ModelNotFoundError,
    NotAllowedError,
    OutOfResourcesError,
    QueueFullError,
    ServingError,
    SettingError,
    SignatureNotFoundError,
    StoppingError,
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
    CallCancelledError: grpc.StatusCode.CANCELLED,
    NotAllowedError: grpc.StatusCode.PERMISSION_DENIED,
    StoppingError: grpc.StatusCode.UNAVAILABLE,
    BatchedOutputError: grpc.StatusCode.FAILED_PRECONDITION,
    GraphError: grpc.StatusCode.INTERNAL,
}


def error_code(error: ServingError) -> int:
    """Return the number of the error's status, the same in gRPC and in `tensorflow.error.Code`."""
    number: int = STATUS_OF[type(error)].value[0]
    return number
