"""The gateway's metrics and their exposition. docs/metrics.md lists them; a test compares the two."""

import os
from collections.abc import Collection

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.observability.backend_metrics import BackendMetrics
from gateway.observability.image_metrics import ImageMetrics
from gateway.observability.metric_labels import METRICS_FOLDER, ModelLabels
from gateway.observability.request_metrics import RequestMetrics


class Metrics:
    """One application's metrics, in a registry of their own. `models` are the names that may appear as a label.

    Other modules add their own: metrics of prometheus-client with `registry`, collectors with `collect_at_scrape`.
    """

    def __init__(self, models: Collection[str]) -> None:
        # they would double the series; the library has one switch for the whole process
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.labels = ModelLabels(models)
        self.requests = RequestMetrics(self.labels, self.registry)
        self.backend = BackendMetrics(self.labels, self.registry)
        self.images = ImageMetrics(self.labels, self.registry)
        self._at_scrape: list[Collector] = []

    def collect_at_scrape(self, collector: Collector) -> None:
        """Include what `collector` returns at each scrape; with several workers, that of the worker that responds."""
        self._at_scrape.append(collector)
        if METRICS_FOLDER not in os.environ:
            self.registry.register(collector)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics page, and its media type; several workers are summed.

        `accept` is the Accept header: OpenMetrics, which has exemplars, for a client that accepts it, and Prometheus's
        text format otherwise.
        """
        registry = self._together() if METRICS_FOLDER in os.environ else self.registry
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def _together(self) -> CollectorRegistry:
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        for collector in self._at_scrape:
            together.register(collector)
        return together
