"""What the gateway says about its models: a list, and a card for each, as JSON or as a page."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from contract.manifest import ModelManifest
from gateway.backend.model_client import VersionStatus
from gateway.backend.model_versions import ModelState, ModelVersions
from gateway.http.routing import TemplateRoute
from gateway.native.drift_page import show_drift
from gateway.native.parameters import read_version
from gateway.predict.prediction import manifest_of
from gateway.predict.services import Services


def model_routes() -> list[TemplateRoute]:
    """Return `GET /v1/models`, `GET /v1/models/{model}/card` and `GET /v1/models/{model}/drift`."""
    return [
        TemplateRoute("/v1/models", list_models),
        TemplateRoute("/v1/models/{model}/card", show_card),
        TemplateRoute("/v1/models/{model}/drift", show_drift),
    ]


async def list_models(request: Request) -> Response:
    """Answer with every wanted model, its versions, and what they are."""
    services: Services = request.state.services
    return JSONResponse({"models": [_model_to_json(state, services.versions) for state in services.versions.states]})


async def show_card(request: Request) -> Response:
    """Answer with a version's manifest: a page for a browser, JSON for everybody else."""
    services: Services = request.state.services
    model = request.path_params["model"]
    request.state.model = model
    version = services.versions.version_for(model, read_version(request.query_params))
    manifest = await manifest_of(model, version, services.versions, request.state.deadline)
    headers = {"Vary": "Accept"}
    if _wants_page(request):
        return HTMLResponse(_page(manifest), headers=headers)
    return Response(manifest.to_json(), media_type="application/json", headers=headers)


def _wants_page(request: Request) -> bool:
    accepted = [kind.partition(";")[0].strip() for kind in request.headers.get("accept", "").split(",")]
    return "text/html" in accepted and "application/json" not in accepted


def _page(manifest: ModelManifest) -> str:
    import jinja2  # noqa: PLC0415 - a tenth of the gateway's memory, for a page that few open

    environment = jinja2.Environment(loader=jinja2.PackageLoader("gateway.native", "."), autoescape=True)
    shown = json.loads(manifest.to_json())
    return environment.get_template("card.html.jinja").render(card=shown)


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
