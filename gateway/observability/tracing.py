"""Spans of requests, sent by OpenTelemetry over OTLP (gRPC), configured by its standard `OTEL_*` variables.

There is a span for each request and one for each of its stages, and their context is passed to the model server. Names
and attributes follow OpenTelemetry's semantic conventions for HTTP. Of what callers send, only the request's id and the
model's name are recorded.
"""

import os
import time
from collections.abc import Mapping

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contract.process.span_export import SpanExport, unsupported_variable
from gateway.errors import BadSettingError
from gateway.observability.metric_labels import shortened
from gateway.observability.observation import MODEL_SERVER, CallMetadata, Observation
from gateway.observability.trace_context import TRACEPARENT, TraceContext

_PROPAGATOR = TraceContextTextMapPropagator()  # no baggage: callers could send anything to the model server
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_OTHER_METHOD = "_OTHER"


class Tracing:
    """Exports the spans of one process; starts its own thread."""

    def __init__(self) -> None:
        self._export = SpanExport("graft-gateway", "gateway")
        self._tracer = self._export.tracer

    @staticmethod
    def check_variables(variables: Mapping[str, str] = os.environ) -> None:
        """Check that the standard variables are supported.

        Raises:
            BadSettingError: one selects an exporter or protocol other than OTLP over gRPC, or no sampler that there is.
        """
        if problem := unsupported_variable(variables):
            raise BadSettingError(problem)

    def begin(self, observation: Observation, method: str, tracestate: bytes | None) -> None:
        """Begin the span of a request, in its caller's trace if there is one."""
        carrier = {} if observation.trace is None else {TRACEPARENT: observation.trace.traceparent}
        if tracestate is not None:
            carrier["tracestate"] = tracestate.decode("latin-1")
        name = method if method in _METHODS else _OTHER_METHOD
        root = self._tracer.start_span(
            name,
            context=_PROPAGATOR.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": name, "graft.request_id": observation.request_id},
        )
        spans = Spans(self._tracer, root, name)
        observation.join(_trace_of(root), spans)

    def close(self) -> None:
        """Send the remaining spans, for at most three seconds, and stop."""
        self._export.close()


class Spans:
    """The spans of one request. If its trace is not sampled, its stages have no spans."""

    __slots__ = ("_context", "_method", "_root", "_stage", "_tracer")

    def __init__(self, tracer: Tracer, root: Span, method: str) -> None:
        self._tracer = tracer
        self._root = root
        self._method = method
        self._context = set_span_in_context(root)
        self._stage: Span | None = None

    def begin(self, stage: str) -> None:
        """Begin a stage's span."""
        if self._root.is_recording():
            kind = SpanKind.CLIENT if stage == MODEL_SERVER else SpanKind.INTERNAL
            self._stage = self._tracer.start_span(stage, self._context, kind)

    def end(self, error: BaseException | None) -> None:
        """End the stage's span; `error` is why it failed, if it did.

        The error's text is not recorded, because it may name files and hosts.
        """
        if self._stage is not None:
            if error is not None:
                self._stage.set_attribute("error.type", type(error).__name__)
                self._stage.set_status(StatusCode.ERROR)
            self._stage.end()
            self._stage = None

    def add(self, stage: str, seconds: float) -> None:
        """Add the span of a stage that ends now and took that many seconds."""
        if self._root.is_recording():
            now = time.time_ns()
            self._tracer.start_span(stage, self._context, start_time=now - int(seconds * 1e9)).end(now)

    def call_metadata(self) -> CallMetadata:
        """Return `traceparent` and `tracestate` of the span that a call belongs to."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, self._context if self._stage is None else set_span_in_context(self._stage))
        return tuple(carrier.items())

    def finish(self, observation: Observation, route: str, outcome: str) -> None:
        """End the request's span."""
        root = self._root
        if root.is_recording():
            root.update_name(f"{self._method} {route}")
            root.set_attributes(_attributes(observation, route, outcome))
            if not 0 < observation.status < 500:
                root.set_attribute("error.type", outcome)
                root.set_status(StatusCode.ERROR)
        root.end()


def _attributes(observation: Observation, route: str, outcome: str) -> Mapping[str, str | int]:
    found: dict[str, str | int] = {
        "http.route": route,
        "http.request.body.size": observation.bytes_in,
        "http.response.body.size": observation.bytes_out,
        "graft.outcome": outcome,
    }
    if observation.status:
        found["http.response.status_code"] = observation.status
    if observation.images:
        found["graft.images"] = observation.images
    if observation.model is not None:
        found["graft.model"] = shortened(observation.model)
    if observation.version is not None:
        found["graft.version"] = str(observation.version)
    return found


def _trace_of(span: Span) -> TraceContext:
    context = span.get_span_context()
    sampled = context.trace_flags.sampled
    return TraceContext(f"{context.trace_id:032x}", sampled, "")
