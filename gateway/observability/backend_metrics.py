"""Metrics of calls to the model server."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.observability.metric_labels import Children, ModelLabels
from gateway.observability.request_metrics import SECONDS


class BackendMetrics:
    """Slots, circuits and calls. Over several processes, gauges are summed; for circuits the highest state counts."""

    def __init__(self, labels: ModelLabels, registry: CollectorRegistry) -> None:
        self._labels = labels
        self._seconds = Children(
            Histogram,
            "graft_gateway_backend_duration_seconds",
            "Calls to the model server, by gRPC method and status.",
            ["method", "code"],
            registry,
            buckets=SECONDS,
        )
        self._attempts = Counter(
            "graft_gateway_backend_attempts",
            "Calls put on a connection to the model server, gRPC's own retries included.",
            registry=registry,
        )
        self._shed = Children(
            Counter,
            "graft_gateway_shed",
            "Requests rejected before they reached the model server, by reason.",
            ["reason"],
            registry,
        )
        self._circuits = Children(
            Gauge,
            "graft_gateway_circuit_state",
            "Circuit breaker of a model: 0 closed, 1 half open, 2 open.",
            ["model"],
            registry,
            multiprocess_mode="livemax",
        )
        self._in_flight = _summed("graft_gateway_in_flight", "Requests in flight to the model server.", registry)
        self._queued = _summed("graft_gateway_queued", "Requests that wait for a slot.", registry)
        self._last_limit = -1
        self._limit = _summed("graft_gateway_in_flight_limit", "The current limit on requests in flight.", registry)

    def begin_at_zero(self, reasons: Iterable[str]) -> None:
        """Create the counters of shed requests, so that the first counts in a rate; `reasons` as in `count_shed`."""
        for reason in reasons:
            self._shed.of(reason)

    def time_call(self, method: str, code: str, seconds: float) -> None:
        """Record one call to the model server; `code` is the name of its gRPC status."""
        self._seconds.of(method, code).observe(seconds)

    def count_attempts(self, number: int) -> None:
        """Count calls put on a connection."""
        self._attempts.inc(number)

    def count_shed(self, reason: str) -> None:
        """Count one request that was rejected; `reason` is a constant of `gateway.admission.concurrency`."""
        self._shed.of(reason).inc()

    def set_slots(self, in_flight: int, limit: int) -> None:
        """Record how many requests are in flight to the model server, and the limit."""
        self._in_flight.set(in_flight)
        if limit != self._last_limit:  # it seldom changes
            self._last_limit = limit
            self._limit.set(limit)

    def set_queued(self, number: int) -> None:
        """Record how many requests wait for a slot."""
        self._queued.set(number)

    def set_circuit(self, model: str, state: int) -> None:
        """Record the state of a model's circuit: 0 closed, 1 half open, 2 open."""
        self._circuits.of(self._labels.model(model)).set(state)


def _summed(name: str, meaning: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, meaning, registry=registry, multiprocess_mode="livesum")
