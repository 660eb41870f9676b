"""TensorFlow Serving's REST API as OpenAPI describes it."""

from collections.abc import Sequence
from typing import Any

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_ANYTHING: _Schema = {}
_SIGNATURE: _Schema = {**_TEXT, "description": "The signature of the model; without it, `serving_default`."}
_LIST: _Schema = {"type": "array", "minItems": 1, "items": {}}


def _object(required: dict[str, _Schema], **optional: _Schema) -> _Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


_ERROR = _object({"error": {**_TEXT, "description": "One sentence: what was wrong, what was seen."}})
_EXAMPLES: _Schema = _object(
    {"examples": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    signature_name=_SIGNATURE,
    context={"type": "object", "description": "Features that all examples share."},
)
_REQUESTS: dict[str, _Schema] = {
    "predict": {
        "oneOf": [
            _object({"instances": {**_LIST, "description": "A row after the other."}}, signature_name=_SIGNATURE),
            _object({"inputs": {"description": "A value, or one per input by its name."}}, signature_name=_SIGNATURE),
        ]
    },
    "classify": _EXAMPLES,
    "regress": _EXAMPLES,
}
_RESULTS = _object({"results": {"type": "array", "items": {}}})
_RESPONSES: dict[str, tuple[str, _Schema]] = {
    "predict": (
        "The model's outputs, in the format of the request",
        {"oneOf": [_object({"predictions": {"type": "array", "items": {}}}), _object({"outputs": _ANYTHING})]},
    ),
    "classify": ("Pairs of label and score for each example", _RESULTS),
    "regress": ("A number for each example", _RESULTS),
    "status": (
        "The versions of the model and their states",
        _object({"model_version_status": {"type": "array", "items": {"type": "object"}}}),
    ),
    "metadata": (
        "The signatures of one version",
        _object({"model_spec": {"type": "object"}, "metadata": {"type": "object"}}),
    ),
}
_CALLING = {
    400: "The request cannot be understood, or the model refuses it",
    404: "There is no such model or version",
    502: "The model server failed",
    503: "The model server is not available, or there is too much to do",
    504: "The model server took too long",
}
_SENDING = {
    **_CALLING,
    408: "The body did not arrive in time",
    413: "The body or the answer is too large",
    415: "The body is compressed with something else than gzip",
    501: "A type cannot be read from JSON, or the model server does not know this kind of request",
}
_VERSIONS = {
    "": "",
    "/versions/{version}": "_of_version",
    "/labels/{label}": "_by_label",
}
_PATHS = {"predict": ":predict", "classify": ":classify", "regress": ":regress", "status": "", "metadata": "/metadata"}


def tensorflow_serving_paths(models: Sequence[str]) -> dict[str, _Schema]:
    """Return OpenAPI's `paths` of these routes; `models` are the configured names."""
    return {
        f"/v1/models/{{model}}{whose}{path}": {
            "post" if verb in _REQUESTS else "get": _operation(verb, whose, models)
            | {"operationId": f"tensorflow_{verb}{suffix}"}
        }
        for verb, path in _PATHS.items()
        for whose, suffix in _VERSIONS.items()
    }


def _operation(verb: str, whose: str, models: Sequence[str]) -> _Schema:
    summary, response = _RESPONSES[verb]
    rejections = _SENDING if verb in _REQUESTS else _CALLING
    responses = {str(status): _response(text, _ERROR) for status, text in rejections.items()}
    operation: _Schema = {
        "tags": ["TensorFlow Serving"],
        "summary": summary,
        "parameters": _parameters(whose, models),
        "responses": {"200": _response(summary, response), **responses},
    }
    if verb in _REQUESTS:
        content = {"application/json": {"schema": _REQUESTS[verb]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(whose: str, models: Sequence[str]) -> list[_Schema]:
    schemas = {
        "model": {**_TEXT, "pattern": "^[^/:]+$", "examples": list(models)},
        "version": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "label": {**_TEXT, "pattern": "^[^/:]+$"},
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in schemas.items()
        if name == "model" or f"{{{name}}}" in whose
    ]


def _response(text: str, schema: _Schema) -> _Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
