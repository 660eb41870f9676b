"""Monitors whether a version's images and predictions are still like its reference."""

import asyncio
import logging
import math
from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ModelManifest
from gateway.backend.model_versions import ModelVersions
from gateway.drift.comparison import FeatureDrift, compare
from gateway.drift.sharing import Key, SharedCounts, added_up
from gateway.drift.window import Counts, Window
from gateway.observability.predicted_image import PredictedImage
from gateway.settings import Settings

_MOST_WINDOWS = 32
"""The most versions monitored at a time, over all models; beyond that, the oldest window is dropped."""

_PUBLISH_SECONDS = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionDrift:
    """The number of last images of a version, and the features that have enough of them to compare.

    `reference_images` is None if the version has no reference; then nothing is compared.
    """

    model: str
    version: int
    digest: str
    reference_images: int | None
    images: int
    features: tuple[FeatureDrift, ...]


class DriftMonitor:
    """Observes every predicted image, and compares each served version's last ones with its reference.

    With several workers, `shared` is their common folder: each has its part of the window, and the counts are summed.
    """

    def __init__(self, settings: Settings, versions: ModelVersions, shared: Path | None = None) -> None:
        self._settings = settings
        self._versions = versions
        self._size = math.ceil(settings.drift_window / settings.workers)
        self._shared = SharedCounts(shared) if shared and settings.drift else None
        self._windows: dict[tuple[str, int], Window] = {}

    def observe(self, image: PredictedImage, manifest: ModelManifest) -> None:
        """Count an image predicted by the version that `manifest` describes."""
        if not self._settings.drift:
            return
        window = self._known(image.model, image.version, manifest)
        if window is None and manifest.reference is not None:
            window = Window(manifest.digest, manifest.reference, self._size)
            self._begin(image.model, image.version, window)
        if window is not None:
            window.add(image)

    def of_model(self, model: str) -> tuple[VersionDrift, ...]:
        """Return the drift of each served version of a model that has a manifest.

        Raises:
            UnknownModelError: no such model is configured.
        """
        available = self._versions.state(model).available
        described = [(version, self._versions.described(model, version)) for version in available]
        elsewhere = self._shared.of_others() if self._shared else []
        return tuple(self._version(model, version, manifest, elsewhere) for version, manifest in described if manifest)

    def of_all(self) -> tuple[VersionDrift, ...]:
        """Return the drift of each served version of each model that has a manifest; none if drift is off."""
        if not self._settings.drift:
            return ()
        return tuple(found for state in self._versions.states for found in self.of_model(state.name))

    async def share(self) -> None:
        """Publish this worker's counts to the others every second, until cancelled; with one worker, do nothing."""
        failed = False
        while self._shared:
            try:
                self._shared.publish({(*key, window.digest): window.counts() for key, window in self._windows.items()})
                failed = False
            except OSError as error:  # a full disk is no reason to stop serving
                if not failed:
                    _logger.warning("This worker's drift counts cannot be shared: %s.", error.strerror)
                failed = True
            await asyncio.sleep(_PUBLISH_SECONDS)

    def _version(
        self, model: str, version: int, manifest: ModelManifest, elsewhere: list[dict[Key, Counts]]
    ) -> VersionDrift:
        if manifest.reference is None:
            return VersionDrift(model, version, manifest.digest, None, 0, ())
        window = self._known(model, version, manifest) or Window(manifest.digest, manifest.reference, self._size)
        key = (model, version, manifest.digest)
        counts = added_up(window.counts(), [other[key] for other in elsewhere if key in other])
        features = compare(window, counts, self._settings.drift_least_images, self._settings.drift_least_psi)
        images = sum(counts["confidence"])  # every image has a confidence
        return VersionDrift(model, version, manifest.digest, window.reference.images, images, features)

    def _known(self, model: str, version: int, manifest: ModelManifest) -> Window | None:
        """Return the window of a version; None if there is none, or if the version number belonged to another model."""
        known = self._windows.get((model, version))
        return known if known is not None and known.digest == manifest.digest else None

    def _begin(self, model: str, version: int, window: Window) -> None:
        self._windows.pop((model, version), None)
        self._give_up_unserved()
        while len(self._windows) >= _MOST_WINDOWS:
            del self._windows[next(iter(self._windows))]
        self._windows[model, version] = window

    def _give_up_unserved(self) -> None:
        """Drop the windows of versions that are gone; while the model server does not respond, keep all."""
        for model, version in list(self._windows):
            state = self._versions.state(model)
            if state.versions and version not in state.available:
                del self._windows[model, version]
