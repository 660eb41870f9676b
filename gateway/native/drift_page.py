"""What moved since a model was tested, in numbers and in words."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.drift.comparison import FeatureDrift
from gateway.drift.monitor import VersionDrift
from gateway.native.parameters import read_version
from gateway.predict.prediction import manifest_of
from gateway.predict.services import Services
from gateway.settings import Settings

_DIGITS = 4


async def show_drift(request: Request) -> Response:
    """Answer with the drift of every version of a model that is served, or of the one that is asked for."""
    services: Services = request.state.services
    model = request.path_params["model"]
    request.state.model = model
    version = services.versions.version_for(model, read_version(request.query_params))
    await manifest_of(model, version, services.versions, request.state.deadline)  # refuses what is not there
    wanted = None if "version" not in request.query_params else version
    found = [each for each in services.drift.of_model(model) if wanted in {None, each.version}]
    return JSONResponse(
        {
            "model": model,
            "watched": services.settings.drift,
            "window": services.settings.drift_window,
            "versions": [_version_to_json(each, services.settings) for each in found],
        }
    )


def _version_to_json(found: VersionDrift, settings: Settings) -> dict[str, Any]:
    moved = [feature.feature for feature in found.features if feature.moved]
    return {
        "version": str(found.version),
        "digest": found.digest,
        "reference_pictures": found.reference_pictures,
        "pictures": found.pictures,
        "wanted": settings.drift_least_pictures,
        "moved": bool(moved),
        "sentence": _sentence(found, settings),
        "features": [_feature_to_json(feature) for feature in found.features],
    }


def _sentence(found: VersionDrift, settings: Settings) -> str:
    if not settings.drift:
        return "Drift is not watched: the setting `drift` is off."
    if found.reference_pictures is None:
        return "This version has no reference to compare with; export its run again with a newer Graft."
    if found.pictures < settings.drift_least_pictures:
        return f"Too few pictures were answered to compare: {found.pictures} of {settings.drift_least_pictures}."
    moved = [feature.sentence for feature in found.features if feature.moved]
    if not moved:
        return f"Nothing moved: the last {found.pictures} pictures and their answers are like the reference."
    return "; ".join(moved) + "."


def _feature_to_json(found: FeatureDrift) -> dict[str, Any]:
    return {
        "feature": found.feature,
        "pictures": found.pictures,
        "psi": round(found.psi, _DIGITS),
        "js_distance": round(found.js_distance, _DIGITS),
        "threshold_psi": round(found.threshold_psi, _DIGITS),
        "moved": found.moved,
        "sentence": found.sentence,
    }
