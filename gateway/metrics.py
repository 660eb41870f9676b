"""What the gateway counts and times. Label values come from bounded sets, whatever callers send."""

import os
from collections.abc import Collection
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client is told to keep values in files that several processes add up."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
NO_MODEL, UNKNOWN_MODEL = "none", "unknown"

_Metric = TypeVar("_Metric", Counter, Histogram)

_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)


class Metrics:
    """One application's metrics, in a registry of their own.

    `models` are the names that may appear as a label; any other becomes `unknown`.
    """

    def __init__(self, models: Collection[str]) -> None:
        self._models = frozenset(models)
        self._children: dict[tuple[object, tuple[str, ...]], Any] = {}
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "graft_gateway_requests",
            "Requests answered; outcome is ok or the code of the error.",
            ["route", "model", "outcome"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "graft_gateway_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._backend_seconds = Histogram(
            "graft_gateway_backend_duration_seconds",
            "Calls to the model server, by gRPC method and status.",
            ["method", "code"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._shed = Counter(
            "graft_gateway_shed",
            "Requests that were not let through to the model server, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "graft_gateway_in_flight",
            "Requests before the model server.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._circuits = Gauge(
            "graft_gateway_circuit_state",
            "Circuit breaker of a model: 0 closed, 1 half open, 2 open.",
            ["model"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._pictures = Counter(
            "graft_gateway_pictures",
            "Pictures answered; outcome is ok or the code of the refusal.",
            ["model", "outcome"],
            registry=self.registry,
        )

    def count_request(self, route: str, model: str | None, outcome: str, seconds: float) -> None:
        """Count one answered request; `model` is the name asked for, None where the route has none."""
        self._child(self._requests, route, self._model_label(model), outcome).inc()
        self._child(self._request_seconds, route).observe(seconds)

    def count_picture(self, model: str, outcome: str) -> None:
        """Count one answered picture."""
        self._child(self._pictures, self._model_label(model), outcome).inc()

    def time_backend(self, method: str, code: str, seconds: float) -> None:
        """Record one call to the model server; `code` is the name of its gRPC status."""
        self._child(self._backend_seconds, method, code).observe(seconds)

    def count_shed(self, reason: str) -> None:
        """Count one request that was not let through; `reason` is one of the words of `gateway.admission`."""
        self._shed.labels(reason).inc()

    def set_in_flight(self, number: int) -> None:
        """Record how many requests are before the model server."""
        self._in_flight.set(number)

    def set_circuit(self, model: str, state: int) -> None:
        """Record the state of a model's circuit: 0 closed, 1 half open, 2 open."""
        self._circuits.labels(self._model_label(model)).set(state)

    def render(self) -> bytes:
        """Return everything in Prometheus's text format, of type `CONTENT_TYPE`; several workers are added up."""
        if METRICS_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _child(self, metric: _Metric, *labels: str) -> _Metric:
        """Return a metric with labels; finding one again costs a tenth of what the library takes to check them."""
        key = (metric, labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _model_label(self, model: str | None) -> str:
        if model is None:
            return NO_MODEL
        return model if model in self._models else UNKNOWN_MODEL
