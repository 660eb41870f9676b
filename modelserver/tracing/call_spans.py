"""Spans of calls, with the names and attributes of OpenTelemetry's semantic conventions for gRPC.

Of what callers send, only names that the model server knows are recorded.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contract.process.span_export import SpanExport
from modelserver.errors import ServingError
from modelserver.model.spans import Attributes, current_spans
from modelserver.status_codes import STATUS_OF

_PROPAGATOR = TraceContextTextMapPropagator()
_HEADERS = ("traceparent", "tracestate")
_FAILURES = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""The codes that are the server's failures; with the others, it refused what a caller sent or no longer wants."""


class CallTracing:
    """Exports the spans of one process; starts its own thread. Its caller's context decides whether a call is traced.

    A call without a context begins a trace. `OTEL_TRACES_SAMPLER` decides then, and may decide otherwise.
    """

    def __init__(self) -> None:
        self._export = SpanExport("graft-model-server", "modelserver")

    @contextlib.contextmanager
    def call(
        self, method: str, metadata: Iterable[tuple[str, Any]], seconds_left: Callable[[], float | None]
    ) -> Iterator[None]:
        """Give one call its span, which ends with the context, and says what its error will be on the wire."""
        carrier = {key: value for key, value in metadata if key in _HEADERS and isinstance(value, str)}
        span = self._export.tracer.start_span(
            method,
            context=_PROPAGATOR.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": method},
        )
        if not span.is_recording():
            yield
            return
        with _ended(span, seconds_left):
            token = current_spans.set([OtelSpan(self._export.tracer, span)])
            try:
                yield
            finally:
                current_spans.reset(token)

    def close(self) -> None:
        """Send the remaining spans, for at most three seconds, and stop."""
        self._export.close()


class OtelSpan:
    """One span that is recorded."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def set_attributes(self, attributes: Attributes) -> None:
        """Set attributes of this span."""
        self._span.set_attributes(attributes)

    def begin(self, name: str, attributes: Attributes) -> "OtelSpan":
        """Begin a span within this one."""
        context = set_span_in_context(self._span)
        return OtelSpan(self._tracer, self._tracer.start_span(name, context, attributes=attributes))

    def add(self, name: str, start: int, end: int, attributes: Attributes) -> None:
        """Add a span within this one that has ended."""
        context = set_span_in_context(self._span)
        self._tracer.start_span(name, context, attributes=attributes, start_time=start).end(end)

    def end(self, error: BaseException | None = None) -> None:
        """End it. The error's text is not recorded, because it may quote what was sent."""
        if error is not None:
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


@contextlib.contextmanager
def _ended(span: Span, seconds_left: Callable[[], float | None]) -> Iterator[None]:
    code = "UNKNOWN"
    try:
        yield
        code = "OK"
    except ServingError as error:
        code = STATUS_OF[type(error)].name
        raise
    except DecodeError:
        code = grpc.StatusCode.INTERNAL.name
        raise
    except asyncio.CancelledError:
        left = seconds_left()
        code = "CANCELLED" if left is None or left > 0 else "DEADLINE_EXCEEDED"
        raise
    finally:
        span.set_attribute("rpc.response.status_code", code)
        if code in _FAILURES:
            span.set_attribute("error.type", code)
            span.set_status(StatusCode.ERROR)
        span.end()
