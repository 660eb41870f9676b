"""Passes each request to the metrics, the log and, if enabled, tracing."""

from typing import TYPE_CHECKING

from starlette.types import Scope

from contract.process.standard_streams import dropped_lines
from gateway.observability.logs import PROBED_PATHS, RequestLog, name_in_logs
from gateway.observability.observation import Observation
from gateway.observability.request_metrics import RequestMetrics
from gateway.observability.trace_context import read_traceparent

if TYPE_CHECKING:
    from gateway.observability.tracing import Tracing

_NOBODY_REFUSED = "client_gone"


def route_label(route: object) -> str:
    """Return what metrics, logs and spans call a route, which may say so itself; None is a path that has none."""
    return getattr(route, "label", None) or getattr(route, "path", None) or "unmatched"


def _is_probe(path: str) -> bool:
    return path in PROBED_PATHS or (path.startswith("/v2/models/") and path.endswith("/ready"))


class Observers:
    """Begins and ends the observation of requests. `tracing` is None if it is off."""

    def __init__(self, metrics: RequestMetrics, log: RequestLog, tracing: "Tracing | None" = None) -> None:
        self._metrics = metrics
        self._log = log
        self._tracing = tracing

    def begin(
        self, observation: Observation, scope: Scope, traceparent: bytes | None, tracestate: bytes | None
    ) -> None:
        """Begin to observe the request of the current task; probes and scrapes have no spans."""
        trace = read_traceparent(traceparent)
        if trace is not None:
            observation.join(trace)
        if self._tracing is not None and not _is_probe(scope["path"]):
            self._tracing.begin(observation, scope["method"], None if trace is None else tracestate)
        name_in_logs(observation)

    def end(self, observation: Observation, scope: Scope, seconds: float) -> None:
        """Count, time and log a request that ended after that many seconds."""
        route = route_label(scope.get("route"))
        outcome, protocol = observation.outcome or "internal_error", observation.protocol
        self._metrics.count(route, protocol, observation.model, observation.version, outcome)
        self._metrics.time(route, protocol, observation.status, seconds, observation.exemplar)
        if 400 <= observation.status < 500 and outcome != _NOBODY_REFUSED:
            self._metrics.count_rejection(outcome)
        if not self._log.write(observation, route, seconds):
            self._metrics.count_line_left_out(outcome)
        self._metrics.count_dropped_lines(dropped_lines())
        if observation.spans is not None:
            observation.spans.finish(observation, route, outcome)
