"""Which dialect a path belongs to; it decides the shape of a refusal, whoever refuses."""

from typing import Literal

Dialect = Literal["native", "tensorflow", "open_inference"]

_MODELS = "/v1/models/"


def dialect_of(method: str, path: str) -> Dialect:
    """Return the dialect of a request line; `path` is the decoded path."""
    if path == "/v2" or path.startswith("/v2/"):
        return "open_inference"
    if path[: len(_MODELS)].lower() != _MODELS:  # TensorFlow Serving's paths are read without regard to case
        return "native"
    is_native = (method == "POST" and path.endswith("/predict")) or (
        method in {"GET", "HEAD"} and path.endswith(("/card", "/drift"))
    )
    return "native" if is_native else "tensorflow"
