"""An OpenTelemetry collector as far as a test needs one: receives spans over OTLP on the real wire, and keeps them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids are hexadecimal, moments nanoseconds since 1970. `kind` is OTLP's number: 2 server, 3 client."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    service: str


@dataclass
class SpanReceiver(TraceServiceServicer):
    """What was received on `address`."""

    address: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)

    def Export(self, request: Any, _: Any) -> Any:  # noqa: N802 - the service's name
        """Keep the spans of one batch."""
        for resource in request.resource_spans:
            service = _read(resource.resource.attributes).get("service.name", "")
            self.spans += [_received(each, service) for scope in resource.scope_spans for each in scope.spans]
        return ExportTraceServiceResponse()

    def named(self, name: str, trace_id: str | None = None) -> list[ReceivedSpan]:
        """Return the spans of a name, of one trace if it is given."""
        return [each for each in self.spans if each.name == name and trace_id in (None, each.trace_id)]


@contextmanager
def receiving_spans() -> Iterator[SpanReceiver]:
    """Receive spans on a loopback port until the `with` ends."""
    receiver = SpanReceiver()
    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
    receiver.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(None).wait()


def _received(span: Any, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _read(span.attributes),
        service,
    )


def _read(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
