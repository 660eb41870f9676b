"""What is observed about one request, for its metrics, its log line and its spans."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Protocol

from gateway.observability.request_metrics import Exemplar, RequestMetrics
from gateway.observability.trace_context import TRACEPARENT, TraceContext

RECEIVE, GUARD, QUEUE, MODEL_SERVER, LABEL = "receive", "guard", "queue", "model_server", "label"

ProtocolName = Literal["native", "tensorflow", "open_inference"]

CallMetadata = Sequence[tuple[str, str]]


class RequestSpans(Protocol):
    """The spans of one request; `gateway.observability.tracing` implements them."""

    def begin(self, stage: str) -> None:
        """Begin a stage's span; stages do not overlap."""

    def end(self, error: BaseException | None) -> None:
        """End the stage's span; `error` is why the stage failed, if it did."""

    def add(self, stage: str, seconds: float) -> None:
        """Add the span of a stage that ends now and took that many seconds."""

    def call_metadata(self) -> CallMetadata:
        """Return the metadata that adds a call to the model server to the trace."""

    def finish(self, observation: "Observation", route: str, outcome: str) -> None:
        """End the request's own span."""


class Observation:
    """Attributes of one request, set by the code that determines them.

    `protocol` decides the format of an error. `outcome` is `ok` or an error's code, None until there is a response.
    `model` and `caller` are None until they are known,
    `version` until the model server responds with it. `gateway.http.middleware` begins and ends an observation.
    """

    __slots__ = (
        "_metrics",
        "bytes_in",
        "bytes_out",
        "caller",
        "exemplar",
        "images",
        "model",
        "outcome",
        "protocol",
        "request_id",
        "spans",
        "status",
        "trace",
        "version",
    )

    def __init__(self, request_id: str, protocol: ProtocolName, metrics: RequestMetrics) -> None:
        self.request_id = request_id
        self.protocol: ProtocolName = protocol
        self.trace: TraceContext | None = None
        self.spans: RequestSpans | None = None
        self.exemplar: Exemplar = None
        self.model: str | None = None
        self.version: int | None = None
        self.caller: str | None = None
        self.outcome: str | None = None
        self.images = 0
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._metrics = metrics

    def join(self, trace: TraceContext, spans: RequestSpans | None = None) -> None:
        """Set the trace that the request belongs to; with `spans`, its stages are traced too."""
        self.trace, self.spans, self.exemplar = trace, spans, _exemplar(trace)

    def stage(self, name: str) -> "Stage":
        """Return a context manager for one stage of the request."""
        return Stage(self, name)

    def begin_stage(self, stage: str) -> None:
        """Begin a stage; stages do not overlap."""
        if self.spans is not None:
            self.spans.begin(stage)

    def end_stage(self, stage: str, seconds: float, error: BaseException | None) -> None:
        """End a stage that took that many seconds; `error` is why it failed, if it did."""
        self._metrics.time_stage(stage, seconds, self.exemplar)
        if self.spans is not None:
            self.spans.end(error)

    def add_stage(self, stage: str, seconds: float) -> None:
        """Record a stage that ends now and took that many seconds."""
        self._metrics.time_stage(stage, seconds, self.exemplar)
        if self.spans is not None:
            self.spans.add(stage, seconds)

    def call_metadata(self) -> CallMetadata | None:
        """Return the trace context for a call to the model server; without tracing, it is the caller's own."""
        if self.spans is not None:
            return self.spans.call_metadata()
        return None if self.trace is None else ((TRACEPARENT, self.trace.traceparent),)


def _exemplar(trace: TraceContext | None) -> Exemplar:
    """Return the trace as an exemplar if it is sampled; otherwise the link would lead nowhere."""
    return {"trace_id": trace.trace_id} if trace is not None and trace.sampled else None


class Stage:
    """One stage of a request, as a context manager. Takes three microseconds, mostly for the metric."""

    __slots__ = ("_name", "_observation", "_since")

    def __init__(self, observation: Observation, name: str) -> None:
        self._observation = observation
        self._name = name
        self._since = 0.0

    def __enter__(self) -> None:
        self._observation.begin_stage(self._name)
        self._since = time.perf_counter()

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._observation.end_stage(self._name, time.perf_counter() - self._since, error)
