"""What a probe shows to Prometheus, by model. docs/probe.md lists it."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from graft.actions.probe.failure import REASONS, Reason


class ProbeMetrics:
    """The metrics of a probe, in a registry of their own."""

    def __init__(self, models: list[str]) -> None:
        self.registry = CollectorRegistry()
        self._success = Gauge(
            "graft_probe_success",
            "Whether the last probe was predicted as expected.",
            ["model"],
            registry=self.registry,
        )
        self._duration = Gauge(
            "graft_probe_duration_seconds",
            "How long the last probe took, from looking up the name to the end of the response.",
            ["model"],
            registry=self.registry,
        )
        self._last_success = Gauge(
            "graft_probe_last_success_timestamp_seconds",
            "When a probe was last predicted as expected, in seconds since 1970.",
            ["model"],
            registry=self.registry,
        )
        self._probes = Counter(
            "graft_probe_requests", "Probes by how they ended.", ["model", "outcome"], registry=self.registry
        )
        for model in models:
            for outcome in ("ok", *REASONS):
                self._probes.labels(model, outcome)

    def note(self, model: str, outcome: Reason | None, seconds: float, now: float) -> None:
        """Count a probe; without a reason it succeeded."""
        self._probes.labels(model, outcome or "ok").inc()
        self._duration.labels(model).set(seconds)
        self._success.labels(model).set(outcome is None)
        if outcome is None:
            self._last_success.labels(model).set(now)
