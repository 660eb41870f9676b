"""What `GET /v1/models/{model}/drift` answers, as OpenAPI describes it."""

from typing import Any

from gateway.drift.buckets import FEATURES

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_COUNT: _Schema = {"type": "integer", "minimum": 0}


def drift_schemas() -> dict[str, _Schema]:
    """Return OpenAPI's `components.schemas` of that route."""
    feature = {
        "feature": {"enum": list(FEATURES)},
        "pictures": _COUNT,
        "psi": {"type": "number", "minimum": 0},
        "js_distance": {"type": "number", "minimum": 0, "maximum": 1},
        "threshold_psi": {"type": "number", "exclusiveMinimum": 0},
        "moved": {"type": "boolean"},
        "sentence": _TEXT,
    }
    version = {
        "version": _TEXT,
        "digest": _TEXT,
        "reference_pictures": {"type": ["integer", "null"], "description": "null: the version has no reference."},
        "pictures": _COUNT,
        "wanted": {**_COUNT, "description": "So many pictures have to be seen before anything is compared."},
        "moved": {"type": "boolean"},
        "sentence": _TEXT,
        "features": {"type": "array", "items": _object(feature)},
    }
    return {
        "Drift": _object(
            {
                "model": _TEXT,
                "watched": {"type": "boolean", "description": "Whether the gateway compares at all."},
                "window": _COUNT,
                "versions": {"type": "array", "items": _object(version)},
            }
        )
    }


def _object(properties: dict[str, _Schema]) -> _Schema:
    return {"type": "object", "required": list(properties), "properties": properties}
