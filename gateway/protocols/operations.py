"""What those who run the gateway ask it: what it serves, whether it lives, whether it is ready, what it counted."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.errors import NotReadyError
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.model_client import VersionStatus
from gateway.model_versions import ModelState, ModelVersions


def operation_routes(metrics: Metrics) -> APIRouter:
    """Return the GET routes; they find `versions` in the application's lifespan state."""
    router = APIRouter()

    @router.get("/v1/models")
    async def list_models(request: Request) -> Response:
        versions: ModelVersions = request.state.versions
        return JSONResponse({"models": [_model_to_json(state, versions) for state in versions.states]})

    @router.get("/livez")
    async def is_alive() -> Response:
        return JSONResponse({"status": "alive"})

    @router.get("/readyz")
    async def is_ready(request: Request) -> Response:
        versions: ModelVersions = request.state.versions
        problems = [f"{state.name}: {state.problem}" for state in versions.states if state.problem]
        if problems:
            raise NotReadyError(" ".join(problems))
        return JSONResponse({"status": "ready"})

    @router.get("/metrics")
    async def show_metrics() -> Response:
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return router


def _model_to_json(state: ModelState, versions: ModelVersions) -> dict[str, Any]:
    return {
        "name": state.name,
        "available": state.problem is None,
        "reason": None if state.problem is None else str(state.problem),
        "versions": [_version_to_json(status, state.name, versions) for status in state.versions],
    }


def _version_to_json(status: VersionStatus, model: str, versions: ModelVersions) -> dict[str, Any]:
    shown: dict[str, Any] = {"version": str(status.version), "state": status.state, "failed": status.failed}
    manifest = versions.described(model, status.version)
    if manifest is not None:
        shown["digest"] = manifest.digest
        shown["architecture"] = manifest.architecture
        shown["labels"] = manifest.labels
    return shown
