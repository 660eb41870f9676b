"""Drift metrics, computed at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.drift.monitor import DriftMonitor

_FEATURE_LABELS = ("model", "version", "feature")


class DriftCollector(Collector):
    """Collects the drift of the served versions; a version that is gone has no series.

    A feature has its three series only once there are enough images to compare.
    """

    def __init__(self, monitor: DriftMonitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Compare every version with its reference, and yield the four gauges."""
        psi = _gauge("psi", "Population stability index of the last images against the version's reference.")
        distance = _gauge("js_distance", "Jensen-Shannon distance of the same, base 2, 0 to 1.")
        threshold = _gauge("threshold_psi", "The index above which chance alone does not explain it.")
        images = GaugeMetricFamily(
            "graft_gateway_drift_images", "Images in the sliding window.", labels=("model", "version")
        )
        for version in self._monitor.of_all():
            if version.reference_images is not None:
                images.add_metric([version.model, str(version.version)], version.images)
            for feature in version.features:
                labels = [version.model, str(version.version), feature.feature]
                psi.add_metric(labels, feature.psi)
                distance.add_metric(labels, feature.js_distance)
                threshold.add_metric(labels, feature.threshold_psi)
        yield from (psi, distance, threshold, images)


def _gauge(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"graft_gateway_drift_{name}", meaning, labels=_FEATURE_LABELS)
