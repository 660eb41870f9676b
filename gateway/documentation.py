"""The description of every route (OpenAPI), and the page that shows it, without a network."""

import functools
import importlib.util
from collections.abc import Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from gateway.http.routing import TemplateRoute
from gateway.native.description import native_paths, native_schemas
from gateway.open_inference.description import open_inference_paths, open_inference_schemas
from gateway.tensorflow.description import tensorflow_serving_paths

_SECURITY_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of `graft keys`."},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key, or a JWT, where they are set up."},
}
_ACCESS_REFUSALS = {
    "401": "The key or token is missing or not valid",
    "403": "The key or token is for something else",
    "429": "The key has used up its limits",
}
_OPENAPI_URL, _DOCS_URL, _ASSETS_URL = "/openapi.json", "/docs", "/docs/assets"


def add_documentation(app: FastAPI, models: Sequence[str]) -> None:
    """Add `GET /openapi.json`, `GET /docs` and what that page loads."""
    app.router.routes += [
        TemplateRoute(_OPENAPI_URL, _show_description(models)),
        TemplateRoute(_DOCS_URL, _show_page),
        Mount(_ASSETS_URL, StaticFiles(directory=_assets())),
    ]


def describe(models: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI description of all dialects; `models` are the configured names."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Graft gateway",
            "version": version_of("graft-serving"),
            "description": "Pictures in, labels out: in our dialect, TensorFlow Serving's and Open Inference's.",
        },
        "security": [{}, *({name: []} for name in _SECURITY_SCHEMES)],
        "paths": {
            **native_paths(models),
            **_with_access(tensorflow_serving_paths(models)),
            **_with_access(open_inference_paths(models)),
        },
        "components": {
            "schemas": {**native_schemas(), **open_inference_schemas()},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _with_access(paths: dict[str, Any]) -> dict[str, Any]:
    """Add the refusals of who may not ask, in the shape of both dialects, to all but the health of the server."""
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    content = {"application/json": {"schema": error}}
    for path, operations in paths.items():
        for operation in operations.values() if not path.startswith("/v2/health/") else ():
            for status, text in _ACCESS_REFUSALS.items():
                operation["responses"].setdefault(status, {"description": text, "content": content})
    return paths


def _show_description(models: Sequence[str]) -> Any:
    described = functools.cache(lambda: describe(models))

    async def show_description(_: Request) -> Response:
        return JSONResponse(described())

    return show_description


async def _show_page(_: Request) -> Response:
    return get_swagger_ui_html(
        openapi_url=_OPENAPI_URL.removeprefix("/"),
        title="Graft gateway",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
    )


def _assets() -> Path:
    """Return the folder of Swagger UI's files in the package that brings them; the package itself is not imported."""
    spec = importlib.util.find_spec("fastapi_swagger")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "resources"
