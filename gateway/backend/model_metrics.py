"""Gauges about the models, collected at each scrape, so that models and versions that are gone disappear."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.backend.model_client import VersionStatus
from gateway.backend.model_versions import ModelState, ModelVersions
from gateway.observability.metric_labels import MAX_VERSIONS, shortened

_STATES = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")


class ModelMetrics(Collector):
    """The state of the models at the last poll, in the process that is scraped."""

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metrics."""
        infos, ready, counts, newest, served = families = (_infos(), _ready(), _counts(), _newest(), _served())
        for state in self._versions.states:
            self._describe(state, infos)
            ready.add_metric([state.name], float(bool(state.available)))
            for name, number in _numbers(state.versions).items():
                counts.add_metric([state.name, name], number)
            if wanted := [each.version for each in state.versions if each.state != "END" or each.failed]:
                newest.add_metric([state.name], max(wanted))
                served.add_metric([state.name], max(state.available, default=0))
        return families

    def _describe(self, state: ModelState, infos: GaugeMetricFamily) -> None:
        for version in state.available[-MAX_VERSIONS:]:
            manifest = self._versions.described(state.name, version)
            if manifest is not None:
                said = map(shortened, (manifest.digest, manifest.architecture, manifest.run))
                infos.add_metric([state.name, str(version), *said], 1)


def _numbers(versions: Iterable[VersionStatus]) -> dict[str, int]:
    found = dict.fromkeys(_STATES, 0)
    for each in versions:
        if each.state in found:
            found[each.state] += 1
    return found


def _infos() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_model_info",
        "Versions that are served and describe themselves; always 1.",
        labels=["model", "version", "digest", "architecture", "lineage_id"],
    )


def _ready() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_model_ready", "1 if a version of the model is AVAILABLE, else 0.", labels=["model"]
    )


def _counts() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_model_versions", "Versions that the model server reports, by state.", labels=["model", "state"]
    )


def _newest() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_model_newest_version",
        "The highest version number that the model server reports, except versions unloaded without an error.",
        labels=["model"],
    )


def _served() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "graft_gateway_model_served_version",
        "The highest version number that is AVAILABLE; 0 if versions are known but none is.",
        labels=["model"],
    )
