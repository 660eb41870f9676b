"""Who hears of each request: the metrics, the log, and where it is on, tracing."""

from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from gateway.observability.logs import RequestLog
from gateway.observability.observation import Observation, observe
from gateway.observability.request_metrics import RequestMetrics
from gateway.observability.trace_context import read_traceparent

if TYPE_CHECKING:
    from gateway.observability.tracing import Tracing

_NOBODY_REFUSED = "client_gone"


class Observers:
    """Begins and ends the observation of requests. `tracing` is None where it is off."""

    def __init__(self, metrics: RequestMetrics, log: RequestLog, tracing: "Tracing | None" = None) -> None:
        self._metrics = metrics
        self._log = log
        self._tracing = tracing

    def begin(self, request_id: str, method: str, traceparent: bytes | None, tracestate: bytes | None) -> Observation:
        """Begin to observe the request that this task answers."""
        trace = read_traceparent(traceparent)
        observation = Observation(request_id, self._metrics, trace)
        if self._tracing is not None:
            self._tracing.begin(observation, method, None if trace is None else tracestate)
        observe(observation)
        return observation

    def end(self, observation: Observation, scope: Scope, seconds: float) -> None:
        """Count, time and log a request that was answered, or could not be, after so many seconds."""
        state: dict[str, Any] = scope["state"]
        route = getattr(scope.get("route"), "path", None) or state.get("route", "unmatched")
        outcome, dialect, model = state.get("outcome", "internal_error"), state["dialect"], state.get("model")
        self._metrics.count(route, dialect, model, observation.version, outcome)
        self._metrics.time(route, dialect, seconds, observation.exemplar)
        if 400 <= observation.status < 500 and outcome != _NOBODY_REFUSED:
            self._metrics.count_refusal(outcome)
        self._log.write(state, route, seconds, observation)
        if observation.spans is not None:
            observation.spans.finish(observation, route, outcome, model)
