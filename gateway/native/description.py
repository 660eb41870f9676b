"""The native routes as OpenAPI describes them."""

from collections.abc import Sequence
from typing import Any

from gateway.native.drift_description import drift_schemas

_Schema = dict[str, Any]

PROBLEM_MEDIA_TYPE = "application/problem+json"

_TEXT: _Schema = {"type": "string"}
_PROBABILITY: _Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SCHEMAS = "#/components/schemas/"

_REFUSED = {
    400: "A parameter, a header or the body cannot be used",
    401: "The key or token is missing or not valid",
    403: "The key or token is for something else",
    404: "There is no such model or version",
    408: "The body did not arrive in time",
    413: "The body, a picture or the number of pictures is too large",
    415: "The body or the picture is of a kind that is not accepted",
    422: "The picture is cut short or cannot be decoded",
    429: "The key has used up its limits",
    501: "The model does not describe itself",
    502: "The model server failed",
    503: "The model server is not available, or there is too much to do",
    504: "The model server took too long",
}
_ALWAYS = (401, 403, 429, 503)


def native_paths(models: Sequence[str]) -> dict[str, _Schema]:
    """Return OpenAPI's `paths` of these routes; `models` are the configured names."""
    model = _parameter("model", "path", {**_TEXT, "examples": list(models)})
    chosen = _parameter("model", "query", {**_TEXT, "examples": list(models)}, "The model; the first one by default.")
    version = _parameter("version", "query", {"type": "integer", "minimum": 1}, "Its version; the latest by default.")
    return {
        "/v1/predict": {"post": _prediction("predict", [chosen])},
        "/v1/models/{model}/predict": {"post": _prediction("predict_with_model", [model])},
        "/v1/models": {"get": _operation("list_models", "Every model and its versions", "Models", [])},
        "/v1/models/{model}/card": {
            "get": _card(
                _operation("show_card", "A version's manifest", "Card", [model, version], (400, 404, 501, 502, 504))
            )
        },
        "/v1/models/{model}/drift": {
            "get": _operation(
                "show_drift", "What moved since its test", "Drift", [model, version], (400, 404, 501, 502, 504)
            )
        },
        "/livez": {"get": _operation("is_alive", "The process lives", "Status", [], access=False)},
        "/readyz": {"get": _operation("is_ready", "Every model can be asked", "Status", [], (503,), access=False)},
        "/metrics": {"get": _metrics()},
    }


def native_schemas() -> dict[str, _Schema]:
    """Return OpenAPI's `components.schemas` that those paths refer to."""
    likely = _object({"label": _TEXT, "probability": _PROBABILITY})
    refusal = _object({"code": _TEXT, "detail": _TEXT, "name": {"type": ["string", "null"]}})
    prediction = _object({**likely["properties"], "top": {"type": "array", "items": likely}})
    image = _object({"b64": {**_TEXT, "description": "Base64 of the file, or a data URL."}}, name=_TEXT)
    return {
        "Answer": _object(
            {
                "model": _TEXT,
                "version": _TEXT,
                "digest": {**_TEXT, "description": "Content identity of the published files."},
                "request_id": _TEXT,
                "predictions": {
                    "type": "array",
                    "description": "One entry per picture, in the order sent.",
                    "items": {"anyOf": [prediction, _object({"error": refusal})]},
                },
            }
        ),
        "Images": _object({"images": {"type": "array", "minItems": 1, "items": image}}),
        "Problem": _object(
            {
                "type": _TEXT,
                "title": _TEXT,
                "status": {"type": "integer"},
                "detail": _TEXT,
                "code": _TEXT,
                "request_id": _TEXT,
            }
        ),
        "Models": _object({"models": {"type": "array", "items": {"type": "object"}}}),
        "Card": {"type": "object"},
        **drift_schemas(),
        "Status": _object({"status": _TEXT}),
    }


def _prediction(name: str, parameters: list[_Schema]) -> _Schema:
    asked = [
        _parameter("version", "query", {"type": "integer", "minimum": 1}, "The version; the latest by default."),
        _parameter("label", "query", {**_TEXT, "minLength": 1}, "The label of a version, instead of its number."),
        _parameter("top_k", "query", {"type": "integer", "minimum": 1, "default": 5}, "How many labels."),
        _parameter("X-Request-Timeout-Ms", "header", {"type": "integer", "minimum": 0}, "How long you will wait."),
    ]
    described = _operation(name, "What is in these pictures", "Answer", [*parameters, *asked], tuple(_REFUSED))
    described["requestBody"] = {"required": True, "content": _bodies()}
    return described


def _bodies() -> _Schema:
    binary: _Schema = {"schema": {"type": "string", "format": "binary"}}
    files = {"type": "object", "properties": {"file": {"type": "array", "items": binary["schema"]}}}
    return {
        "image/*": binary,
        "application/octet-stream": binary,
        "multipart/form-data": {"schema": files},
        "application/json": {"schema": {"$ref": f"{_SCHEMAS}Images"}},
    }


def _operation(
    name: str,
    summary: str,
    schema: str,
    parameters: list[_Schema],
    refused: Sequence[int] = (),
    *,
    access: bool = True,
) -> _Schema:
    statuses = sorted({*refused, *(_ALWAYS if access else ())})
    answer = {"description": summary, "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{schema}"}}}}
    return {
        "operationId": name,
        "tags": ["Graft"],
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": answer, **{str(status): _problem(status) for status in statuses}},
    }


def _card(operation: _Schema) -> _Schema:
    operation["responses"]["200"]["content"]["text/html"] = {"schema": _TEXT}
    return operation


def _metrics() -> _Schema:
    described = _operation("show_metrics", "Metrics for Prometheus", "Status", [])
    described["responses"]["200"]["content"] = {"text/plain": {"schema": _TEXT}}
    return described


def _problem(status: int) -> _Schema:
    schema = {"$ref": f"{_SCHEMAS}Problem"}
    tensorflow = _object({"error": _TEXT})  # what a misplaced request of that dialect is answered with
    content = {PROBLEM_MEDIA_TYPE: {"schema": schema}}
    return {
        "description": _REFUSED[status],
        "content": {**content, "application/json": {"schema": tensorflow}} if status == 400 else content,
    }


def _object(required: dict[str, _Schema], **optional: _Schema) -> _Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _parameter(name: str, place: str, schema: _Schema, text: str = "") -> _Schema:
    described = {"name": name, "in": place, "required": place == "path", "schema": schema}
    return {**described, "description": text} if text else described
