"""The routes of the Open Inference Protocol as OpenAPI describes them."""

from collections.abc import Sequence
from typing import Any

from gateway.open_inference.requests import LENGTH_HEADER, InferenceRequest

_Schema = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_TEXT: _Schema = {"type": "string"}
_PARAMETERS: _Schema = {"type": "object", "additionalProperties": True}
_SHAPE: _Schema = {"type": "array", "items": {"type": "integer"}}


def _object(required: dict[str, _Schema], **optional: _Schema) -> _Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


_ERROR = _object({"error": {**_TEXT, "description": "One sentence: what was wrong, what was seen, what to do."}})
_TENSOR_METADATA = _object({"name": _TEXT, "datatype": _TEXT, "shape": _SHAPE}, parameters=_PARAMETERS)
_TENSOR = _object(
    {"name": _TEXT, "datatype": _TEXT, "shape": _SHAPE},
    parameters=_PARAMETERS,
    data={"type": "array", "items": {}, "description": "The elements in row-major order."},
)
_RESPONSES: dict[str, tuple[str, _Schema]] = {
    "show_server": (
        "The server's name, version and extensions",
        _object({"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}),
    ),
    "is_server_live": ("The gateway answers", _object({"live": {"type": "boolean"}})),
    "is_server_ready": ("Every model can be asked", _object({"ready": {"type": "boolean"}})),
    "is_model_ready": ("The model can be asked", _object({"name": _TEXT, "ready": {"type": "boolean"}})),
    "show_model": (
        "The model's versions, and the inputs and outputs of one signature",
        _object(
            {
                "name": _TEXT,
                "versions": {"type": "array", "items": _TEXT},
                "platform": _TEXT,
                "inputs": {"type": "array", "items": _TENSOR_METADATA},
                "outputs": {"type": "array", "items": _TENSOR_METADATA},
            },
            parameters=_PARAMETERS,
        ),
    ),
    "infer": (
        "The outputs of the version that answered",
        _object(
            {"model_name": _TEXT, "model_version": _TEXT, "outputs": {"type": "array", "items": _TENSOR}}, id=_TEXT
        ),
    ),
}
_REJECTIONS: dict[str, dict[int, str]] = {
    "show_server": {},
    "is_server_live": {},
    "is_server_ready": {503: "A model cannot be asked"},
    "is_model_ready": {
        400: "The version is no number",
        404: "There is no such model",
        503: "The model or its version cannot be asked",
    },
}
_CALLING = {
    400: "The request, a header or a tensor cannot be used",
    404: "There is no such model or version",
    502: "The model server failed",
    503: "The model server is not available, or there is too much to do",
    504: "The model server took too long",
}
_SENDING = {
    **_CALLING,
    408: "The body did not arrive in time",
    413: "The body or the answer is too large",
    415: "The body is compressed",
}
_BINARY: _Schema = {
    "type": "string",
    "format": "binary",
    "description": f"The JSON object, whose length {LENGTH_HEADER} says, then the binary data of its tensors.",
}


def open_inference_paths(models: Sequence[str]) -> dict[str, _Schema]:
    """Return OpenAPI's `paths` of these routes; `models` are the configured names."""
    fixed = {"/v2": "show_server", "/v2/health/live": "is_server_live", "/v2/health/ready": "is_server_ready"}
    of_models = {
        f"/v2/models/{{model}}{version}{path}": endpoint
        for version in ("", "/versions/{version}")
        for path, endpoint in (("", "show_model"), ("/ready", "is_model_ready"), ("/infer", "infer"))
    }
    return {
        path: {"post" if endpoint == "infer" else "get": _operation(endpoint, path, models)}
        for path, endpoint in (fixed | of_models).items()
    }


def open_inference_schemas() -> dict[str, _Schema]:
    """Return OpenAPI's `components.schemas` that those paths refer to."""
    schema = InferenceRequest.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    return {**schema.pop("$defs"), "InferenceRequest": schema}


def _operation(endpoint: str, path: str, models: Sequence[str]) -> _Schema:
    summary, response = _RESPONSES[endpoint]
    versioned = "_of_version" if "{version}" in path else ""
    return {
        "operationId": f"open_inference_{endpoint}{versioned}",
        "tags": ["Open Inference Protocol"],
        "summary": summary,
        **_request(endpoint, path, models),
        "responses": {"200": _success(endpoint, summary, response), **_rejections(endpoint)},
    }


def _success(endpoint: str, text: str, response: _Schema) -> _Schema:
    content: _Schema = {"application/json": {"schema": response}}
    if endpoint != "infer":
        return {"description": text, "content": content}
    headers = {LENGTH_HEADER: {"schema": {"type": "integer"}, "description": "Set if an output is binary."}}
    return {
        "description": text,
        "content": {**content, "application/octet-stream": {"schema": _BINARY}},
        "headers": headers,
    }


def _rejections(endpoint: str) -> dict[str, _Schema]:
    texts = _REJECTIONS.get(endpoint, _SENDING if endpoint == "infer" else _CALLING)
    schema = {"application/json": {"schema": _ERROR}}
    return {str(status): {"description": text, "content": schema} for status, text in texts.items()}


def _request(endpoint: str, path: str, models: Sequence[str]) -> _Schema:
    of_path = {"model": {**_TEXT, "examples": list(models)}, "version": {**_TEXT, "pattern": "^[0-9]{1,19}$"}}
    parameters = [_parameter(name, "path", schema) for name, schema in of_path.items() if f"{{{name}}}" in path]
    if endpoint == "show_model":
        parameters.append(_parameter("signature_name", "query", _TEXT))
    if endpoint != "infer":
        return {"parameters": parameters}
    parameters.append(_parameter(LENGTH_HEADER, "header", {"type": "integer", "minimum": 0}))
    content = {
        "application/json": {"schema": {"$ref": f"{_SCHEMAS}InferenceRequest"}},
        "application/octet-stream": {"schema": _BINARY},
    }
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


def _parameter(name: str, place: str, schema: _Schema) -> _Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
