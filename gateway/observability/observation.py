"""What is noted of one request while it is answered: for its metrics, its log line and its spans.

The request that is being answered is found in a context variable, because its stages are timed at places (a slot, a
call) that know nothing of requests, and the log's other lines are to name it. Outside of a request nothing is noted.
"""

import time
from collections.abc import Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol

from gateway.observability.request_metrics import Exemplar, RequestMetrics
from gateway.observability.trace_context import TRACEPARENT, TraceContext

RECEIVE, GUARD, QUEUE, MODEL_SERVER, LABEL = "receive", "guard", "queue", "model_server", "label"

CallMetadata = Sequence[tuple[str, str]]


class RequestSpans(Protocol):
    """The spans of one request; `gateway.observability.tracing` has them where tracing is on."""

    def begin(self, stage: str) -> None:
        """Begin a stage's span; stages do not overlap."""

    def end(self, error: BaseException | None) -> None:
        """End it; `error` is why the stage failed, if so."""

    def add(self, stage: str, seconds: float) -> None:
        """Add the span of a stage that ends now and took so long."""

    def call_metadata(self) -> CallMetadata:
        """Return what a call to the model server carries, to belong to the trace."""

    def finish(self, observation: "Observation", route: str, outcome: str, model: str | None) -> None:
        """End the request's own span."""


class Observation:
    """One request. Whoever learns something about it sets it here; `gateway.http.middleware` begins and ends it."""

    __slots__ = (
        "_metrics",
        "bytes_in",
        "bytes_out",
        "exemplar",
        "pictures",
        "request_id",
        "spans",
        "status",
        "trace",
        "version",
    )

    def __init__(self, request_id: str, metrics: RequestMetrics, trace: TraceContext | None) -> None:
        self.request_id = request_id
        self.trace = trace
        self.spans: RequestSpans | None = None
        self.exemplar = _exemplar(trace)
        self.version: int | None = None
        self.pictures = 0
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._metrics = metrics

    def join(self, trace: TraceContext, spans: RequestSpans) -> None:
        """Have the request's stages traced, in `trace`."""
        self.trace, self.spans, self.exemplar = trace, spans, _exemplar(trace)

    def begin_stage(self, stage: str) -> None:
        """Begin a stage; stages do not overlap."""
        if self.spans is not None:
            self.spans.begin(stage)

    def end_stage(self, stage: str, seconds: float, error: BaseException | None) -> None:
        """End it, after so many seconds; `error` is why it failed, if so."""
        self._metrics.time_stage(stage, seconds, self.exemplar)
        if self.spans is not None:
            self.spans.end(error)

    def add_stage(self, stage: str, seconds: float) -> None:
        """Note a stage that ends now, after so many seconds."""
        self._metrics.time_stage(stage, seconds, self.exemplar)
        if self.spans is not None:
            self.spans.add(stage, seconds)

    def call_metadata(self) -> CallMetadata | None:
        """Return the trace context that a call to the model server carries; without tracing the caller's own."""
        if self.spans is not None:
            return self.spans.call_metadata()
        return None if self.trace is None else ((TRACEPARENT, self.trace.traceparent),)


def _exemplar(trace: TraceContext | None) -> Exemplar:
    """Return the trace as an exemplar if it is kept: else it would be a link to nothing."""
    return {"trace_id": trace.trace_id} if trace is not None and trace.sampled else None


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)

observe = _current.set
"""Make this the request that is being answered, in the running task and those it starts."""

observed = _current.get
"""Return the request that is being answered, None outside of one."""


class Stage:
    """One stage of the request that is being answered, in a `with`. Costs three microseconds, most of it the metric."""

    __slots__ = ("_name", "_observation", "_since")

    def __init__(self, name: str) -> None:
        self._name = name
        self._observation = observed()
        self._since = 0.0

    def __enter__(self) -> None:
        if self._observation is not None:
            self._observation.begin_stage(self._name)
            self._since = time.perf_counter()

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._observation is not None:
            self._observation.end_stage(self._name, time.perf_counter() - self._since, error)
