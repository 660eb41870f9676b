"""Routes about models: the list, each model's card as JSON or HTML, and its drift."""

import json
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, Response

from contract.manifest import ModelManifest
from gateway.backend.model_client import VersionStatus
from gateway.backend.model_versions import ModelState, ModelVersions
from gateway.http.error_responses import ACCESS, problem_responses
from gateway.http.routing import Context, new_router
from gateway.native.drift_page import drift_of
from gateway.native.parameters import VersionQuery
from gateway.native.responses import DriftReport, ListedModel, ListedVersion, ModelList
from gateway.predict.calls import manifest_of

models_router = new_router("Models", prefix="/v1/models", responses=problem_responses(*ACCESS, 503))
"""`GET /v1/models`, `GET /v1/models/{model}/card` and `GET /v1/models/{model}/drift`."""

_OF_ONE_MODEL = problem_responses(400, 404, 501, 502, 504)


@models_router.get(
    "",
    summary="Every model and its versions",
    response_description="Every model and its versions",
    response_model_exclude_unset=True,
)
async def list_models(context: Context) -> ModelList:
    """List every configured model and its versions, and what a request may have."""
    versions, settings = context.services.versions, context.services.settings
    return ModelList(
        models=[_listed(state, versions) for state in versions.states],
        max_body_bytes=settings.max_body_bytes,
        max_images=settings.max_images,
    )


@models_router.get(
    "/{model}/card",
    summary="A version's manifest",
    response_description="The manifest: HTML for a browser, JSON for any other client",
    response_model=ModelManifest,
    responses={**_OF_ONE_MODEL, 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def show_card(
    request: Request, context: Context, model: str, query: Annotated[VersionQuery, Query()]
) -> Response:
    """Return a version's manifest: its origin, training data and test results."""
    context.model = model
    version = context.services.versions.version_for(model, query.version)
    manifest = await manifest_of(model, version, context)
    headers = {"Vary": "Accept"}
    if _wants_page(request):
        return HTMLResponse(_page(manifest), headers=headers)
    return Response(manifest.to_json(), media_type="application/json", headers=headers)


@models_router.get(
    "/{model}/drift",
    summary="Drift since its test",
    response_description="The drift of each version",
    responses=_OF_ONE_MODEL,
)
async def show_drift(context: Context, model: str, query: Annotated[VersionQuery, Query()]) -> DriftReport:
    """Compare the images and predictions of every served version, or of one, with those of its test."""
    context.model = model
    return await drift_of(model, query.version, context)


def _wants_page(request: Request) -> bool:
    accepted = [kind.partition(";")[0].strip() for kind in request.headers.get("accept", "").split(",")]
    return "text/html" in accepted and "application/json" not in accepted


def _page(manifest: ModelManifest) -> str:
    import jinja2  # noqa: PLC0415 - a tenth of the gateway's memory, for a page that is seldom opened

    environment = jinja2.Environment(loader=jinja2.PackageLoader("gateway.native", "."), autoescape=True)
    shown = json.loads(manifest.to_json())
    return environment.get_template("card.html.jinja").render(card=shown)


def _listed(state: ModelState, versions: ModelVersions) -> ListedModel:
    return ListedModel(
        name=state.name,
        available=state.problem is None,
        reason=None if state.problem is None else str(state.problem),
        versions=[_listed_version(status, state.name, versions) for status in state.versions],
    )


def _listed_version(status: VersionStatus, model: str, versions: ModelVersions) -> ListedVersion:
    manifest, version = versions.described(model, status.version), str(status.version)
    if manifest is None:
        return ListedVersion(version=version, state=status.state, failed=status.failed)
    return ListedVersion(
        version=version,
        state=status.state,
        failed=status.failed,
        digest=manifest.digest,
        architecture=manifest.architecture,
        labels=manifest.labels,
    )
