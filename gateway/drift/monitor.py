"""Whether what a version is asked, and what it answers, is still like its reference."""

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
"""Versions that are watched at a time, all models together; beyond, the one that was begun first is given up."""

_PUBLISH_SECONDS = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionDrift:
    """The last `images` of a version, and the features that can be compared by now.

    `reference_images` is None where the version has no reference, and nothing is ever compared.
    """

    model: str
    version: int
    digest: str
    reference_images: int | None
    images: int
    features: tuple[FeatureDrift, ...]


class DriftMonitor:
    """Hears of every answered image, and compares each served version's last ones with its reference.

    With `shared`, the folder of several workers, each has its part of the window and all are added up.
    """

    def __init__(self, settings: Settings, versions: ModelVersions, shared: Path | None = None) -> None:
        self._settings = settings
        self._versions = versions
        self._size = math.ceil(settings.drift_window / settings.workers)
        self._shared = SharedCounts(shared) if shared and settings.drift else None
        self._windows: dict[tuple[str, int], Window] = {}

    def observe(self, image: PredictedImage, manifest: ModelManifest) -> None:
        """Count an image that the version described by `manifest` answered."""
        if not self._settings.drift:
            return
        window = self._known(image.model, image.version, manifest)
        if window is None and manifest.reference is not None:
            window = Window(manifest.digest, manifest.reference, self._size)
            self._begin(image.model, image.version, window)
        if window is not None:
            window.add(image)

    def of_model(self, model: str) -> tuple[VersionDrift, ...]:
        """Return the state of each version of a model that is served and described.

        Raises:
            UnknownModelError: no such model is configured.
        """
        available = self._versions.state(model).available
        described = [(version, self._versions.described(model, version)) for version in available]
        elsewhere = self._shared.of_others() if self._shared else []
        return tuple(self._version(model, version, manifest, elsewhere) for version, manifest in described if manifest)

    def of_all(self) -> tuple[VersionDrift, ...]:
        """Return the state of each version of each model that is served and described; none where drift is off."""
        if not self._settings.drift:
            return ()
        return tuple(found for state in self._versions.states for found in self.of_model(state.name))

    async def share(self) -> None:
        """Tell the other workers again and again what this one has counted, until cancelled; alone, do nothing."""
        failed = False
        while self._shared:
            try:
                self._shared.publish({(*key, window.digest): window.counts() for key, window in self._windows.items()})
                failed = False
            except OSError as error:  # a full disk is no reason to stop answering
                if not failed:
                    _logger.warning("What this worker knows of drift cannot be shared: %s.", error.strerror)
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
        images = sum(counts["confidence"])  # every image has one
        return VersionDrift(model, version, manifest.digest, window.reference.images, images, features)

    def _known(self, model: str, version: int, manifest: ModelManifest) -> Window | None:
        """Return the window of a version; None if there is none yet, or the number stood for another model then."""
        known = self._windows.get((model, version))
        return known if known is not None and known.digest == manifest.digest else None

    def _begin(self, model: str, version: int, window: Window) -> None:
        self._windows.pop((model, version), None)
        self._give_up_unserved()
        while len(self._windows) >= _MOST_WINDOWS:
            del self._windows[next(iter(self._windows))]
        self._windows[model, version] = window

    def _give_up_unserved(self) -> None:
        """Forget versions that are gone. Where the model server does not answer, nobody knows, and all are kept."""
        for model, version in list(self._windows):
            state = self._versions.state(model)
            if state.versions and version not in state.available:
                del self._windows[model, version]
