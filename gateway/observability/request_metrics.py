"""Metrics of all requests."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.observability.metric_labels import NO_VERSION, Children, ModelLabels

SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, *SECONDS)

Exemplar = dict[str, str] | None
"""The trace to which a duration belongs, as `{"trace_id": ...}`."""


class PredictRoute(NamedTuple):
    """A route that predicts, by its label, and its protocol."""

    route: str
    protocol: str


class RequestMetrics:
    """Requests by route, protocol, model, version and outcome, how long they took, and their stages."""

    def __init__(self, labels: ModelLabels, registry: CollectorRegistry) -> None:
        self._labels = labels
        self._requests = Children(
            Counter,
            "graft_gateway_requests",
            "Requests by outcome: ok or the code of the error.",
            ["route", "protocol", "model", "version", "outcome"],
            registry,
        )
        labels.on_forgotten(self._requests.forget)
        self._seconds = Children(
            Histogram,
            "graft_gateway_request_duration_seconds",
            "From the head of a request to the end of its response, by the class of its status.",
            ["route", "protocol", "status"],
            registry,
            buckets=SECONDS,
        )
        self._stages = Children(
            Histogram,
            "graft_gateway_stage_duration_seconds",
            "Stages of a request: receive, guard, queue, model_server or label.",
            ["stage"],
            registry,
            buckets=_STAGE_SECONDS,
        )
        self._rejections = Children(
            Counter,
            "graft_gateway_refusals",
            "Requests and images rejected as invalid, by the code of the error.",
            ["reason"],
            registry,
        )
        self._lines_left_out = Children(
            Counter,
            "graft_gateway_log_lines_left_out",
            "Lines of requests that sampling left out of the log, by outcome.",
            ["outcome"],
            registry,
        )
        self._dropped_lines = Counter(
            "graft_gateway_log_lines_dropped", "Lines of the log that could not be written.", registry=registry
        )
        self._dropped_so_far = 0

    def begin_at_zero(self, routes: Iterable[PredictRoute], failures: Iterable[str], rejections: Iterable[str]) -> None:
        """Create the counters of requests for predictions that fail or are refused, and of those that are served.

        Prometheus computes rates from the difference of two samples: of a counter that begins with the first failure,
        that failure would never be seen. `failures` and `rejections` are codes of errors.
        """
        models = self._labels.configured_and_none()
        outcomes = tuple(failures)
        for route, protocol in routes:
            self._seconds.of(route, protocol, _status_class(200))
            for model in models:
                for outcome in ("ok", *outcomes):
                    self._requests.of(route, protocol, model, NO_VERSION, outcome)
        for reason in rejections:
            self._rejections.of(reason)

    def count(self, route: str, protocol: str, model: str | None, version: int | None, outcome: str) -> None:
        """Count one request; `model` is the requested name, `version` the version that was used."""
        name = self._labels.model(model)
        self._requests.of(route, protocol, name, self._labels.version(name, version), outcome).inc()

    def time(self, route: str, protocol: str, status: int, seconds: float, exemplar: Exemplar) -> None:
        """Record how long one request took; `status` is 0 if it had no response."""
        self._seconds.of(route, protocol, _status_class(status)).observe(seconds, exemplar)

    def time_stage(self, stage: str, seconds: float, exemplar: Exemplar) -> None:
        """Record how long one stage of a request took."""
        self._stages.of(stage).observe(seconds, exemplar)

    def count_rejection(self, reason: str) -> None:
        """Count a request or an image that was rejected as invalid; `reason` is the code of the error."""
        self._rejections.of(reason).inc()

    def count_line_left_out(self, outcome: str) -> None:
        """Count a request that has no line in the log because of sampling; `outcome` is ok or the code of the error."""
        self._lines_left_out.of(outcome).inc()

    def count_dropped_lines(self, so_far: int) -> None:
        """Count the lines of the log that this process dropped; `so_far` is their number since its start."""
        if so_far > self._dropped_so_far:
            self._dropped_lines.inc(so_far - self._dropped_so_far)
            self._dropped_so_far = so_far


def _status_class(status: int) -> str:
    """Return the label of a status, such as 2xx for 200; none if the caller left before there was one."""
    return f"{status // 100}xx" if status else "none"
