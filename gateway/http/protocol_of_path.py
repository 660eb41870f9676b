"""Which protocol a request belongs to; it decides the format of error responses."""

from typing import Any

from gateway.errors import MalformedTargetError
from gateway.observability.observation import ProtocolName
from gateway.predict.request_context import RequestContext

_MODELS = "/v1/models/"
_SHOWN_CHARACTERS = 200


def protocol_of(method: str, path: str) -> ProtocolName:
    """Return the protocol of a request line; `path` is the decoded path."""
    if path == "/v2" or path.startswith("/v2/"):
        return "open_inference"
    if path[: len(_MODELS)].lower() != _MODELS:  # TensorFlow Serving's paths are case-insensitive
        return "native"
    is_native = (method == "POST" and path.endswith("/predict")) or (
        method in {"GET", "HEAD"} and path.endswith(("/card", "/drift"))
    )
    return "native" if is_native else "tensorflow"


def refuse_misplaced_body(content: Any, method: str, context: RequestContext) -> None:
    """Reject, as TensorFlow Serving does, a body of its predict request that was sent to the native path.

    `content` is the JSON body of `POST /v1/models/{model}/predict`, a path that TensorFlow Serving does not have.

    Raises:
        MalformedTargetError: it has `instances` or `inputs` but no `images`; the response is TensorFlow Serving's.
    """
    if isinstance(content, dict) and "images" not in content and content.keys() & {"instances", "inputs"}:
        context.protocol = "tensorflow"
        raise malformed_target(method, context.target.decode("latin-1"))


def malformed_target(method: str, target: str) -> MalformedTargetError:
    """Return the error for an unknown request line, in TensorFlow Serving's words."""
    return MalformedTargetError(f"Malformed request: {method} {target[:_SHOWN_CHARACTERS]}")
