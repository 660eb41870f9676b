"""The drift report of a model, with numbers and sentences."""

from gateway.drift.comparison import FeatureDrift
from gateway.drift.monitor import VersionDrift
from gateway.native.responses import DriftReport, FeatureReport, VersionReport
from gateway.predict.calls import manifest_of
from gateway.predict.request_context import RequestContext
from gateway.settings import Settings

_DIGITS = 4


async def drift_of(model: str, version: int | None, context: RequestContext) -> DriftReport:
    """Return the drift of one version of a model; None means every served version.

    Raises:
        ModelError: the model or the version is not available, or has no manifest.
        ModelServerError: the model server did not respond.
    """
    services = context.services
    await manifest_of(model, services.versions.version_for(model, version), context)  # raises if it is not available
    found = [each for each in services.drift.of_model(model) if version in {None, each.version}]
    return DriftReport(
        model=model,
        watched=services.settings.drift,
        window=services.settings.drift_window,
        versions=[_report(each, services.settings) for each in found],
    )


def _report(found: VersionDrift, settings: Settings) -> VersionReport:
    return VersionReport(
        version=str(found.version),
        digest=found.digest,
        reference_images=found.reference_images,
        images=found.images,
        wanted=settings.drift_least_images,
        moved=any(feature.moved for feature in found.features),
        sentence=_sentence(found, settings),
        features=[_feature_report(feature) for feature in found.features],
    )


def _sentence(found: VersionDrift, settings: Settings) -> str:
    if not settings.drift:
        return "Drift is not monitored: the setting `drift` is off."
    if found.reference_images is None:
        return "This version has no reference to compare with; export its run again with a newer Graft."
    if found.images < settings.drift_least_images:
        return f"Too few images to compare: {found.images} of {settings.drift_least_images}."
    moved = [feature.sentence for feature in found.features if feature.moved]
    if not moved:
        return f"Nothing moved: the last {found.images} images and their predictions are like the reference."
    return "; ".join(moved) + "."


def _feature_report(found: FeatureDrift) -> FeatureReport:
    return FeatureReport(
        feature=found.feature,
        images=found.images,
        psi=round(found.psi, _DIGITS),
        js_distance=round(found.js_distance, _DIGITS),
        threshold_psi=round(found.threshold_psi, _DIGITS),
        moved=found.moved,
        sentence=found.sentence,
    )
