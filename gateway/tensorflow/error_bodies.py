"""The gateway's errors with TensorFlow Serving's messages and statuses."""

import grpc

from gateway.errors import (
    GatewayError,
    ModelError,
    RequestRejectedError,
    UnknownModelError,
    UnknownSignatureError,
    UnsupportedError,
    VersionNotServedError,
)
from gateway.http.problems import without_nodes
from gateway.predict.model_signatures import DEFAULT_SIGNATURE
from gateway.tensorflow.paths import STATUS, Target

_SHOWN_CHARACTERS = 200


def unknown_signature(name: str) -> UnknownSignatureError:
    """Return the error for a signature that the model does not have; an empty name means the default one."""
    shown = (name or DEFAULT_SIGNATURE)[:_SHOWN_CHARACTERS]
    return UnknownSignatureError(f'Serving signature name: "{shown}" not found in signature def')


def reworded(error: GatewayError, target: Target) -> GatewayError:
    """Return an error as a client of TensorFlow Serving expects it; most are returned unchanged."""
    details = without_nodes(error.details)
    if isinstance(error, UnknownModelError):
        return _unknown_model(target)
    if isinstance(error, ModelError) and error.code is grpc.StatusCode.NOT_FOUND:
        return VersionNotServedError(details or _not_found(target))
    if error.code is grpc.StatusCode.UNIMPLEMENTED:
        return UnsupportedError(details or "The model server does not support this kind of request.")
    if error.code is grpc.StatusCode.OUT_OF_RANGE:
        return RequestRejectedError(details or str(error))
    return error


def _unknown_model(target: Target) -> GatewayError:
    if target.label is not None and target.verb != STATUS:
        return RequestRejectedError(f"Unrecognized servable version label: {target.label[:_SHOWN_CHARACTERS]}")
    return UnknownModelError(_not_found(target))


def _not_found(target: Target) -> str:
    if target.verb != STATUS:
        return f"Servable not found for request: {target.wanted}"
    version = "any versions" if target.version is None else f"version {target.version}"
    return f"Could not find {version} of model {target.model[:_SHOWN_CHARACTERS]}"
