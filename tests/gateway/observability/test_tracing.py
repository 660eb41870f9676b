"""Requests are traced: W3C context in, spans for the request and its stages, and context on to the model server."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.gateway_process import RunningGateway, gateway_process
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until, wait_until_ready

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the extra `tracing` is not installed")

from gateway.errors import BadSettingError
from gateway.observability.tracing import Tracing
from tests.fakes.collector.spans import ReceivedSpan, SpanReceiver, receiving_spans

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["receive", "guard", "queue", "model_server", "label"]


def traceparent(flags: str = "01", trace: str = TRACE) -> dict[str, str]:
    """Return a caller's trace context."""
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}", "tracestate": "vendor=1"}


@contextmanager
def tracing_gateway(model_server: FakeModelServer, collector: str, **variables: str) -> Iterator[RunningGateway]:
    """Run a gateway that sends its spans to a collector."""
    environment = {
        "GATEWAY_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **variables,
    }
    with gateway_process(model_server.address, None, environment, shutdown_delay_seconds=0) as running:
        yield running


@pytest.fixture(scope="module")
def traced() -> Iterator[tuple[RunningGateway, SpanReceiver, FakeModelServer]]:
    """A gateway that is traced, who receives its spans, and its model server."""
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    with receiving_spans() as receiver, tracing_gateway(server, receiver.address) as running:
        yield running, receiver, server
    server.stop()


Traced = tuple[RunningGateway, SpanReceiver, FakeModelServer]


def span_of(receiver: SpanReceiver, name: str, trace: str) -> ReceivedSpan:
    """Return the one span of a name in a trace, once it came."""
    wait_until(lambda: bool(receiver.named(name, trace)))
    [span] = receiver.named(name, trace)
    return span


def test_a_request_and_its_stages_have_spans(traced: Traced) -> None:
    """A request is a span in its caller's trace, with a child for each stage in the order in which they happen."""
    running, receiver, _ = traced
    headers = {**traceparent(), "X-Request-ID": "order-66"}
    assert running.client.post("/v1/predict?top_k=1", content=draw(), headers=headers).status_code == 200
    root = span_of(receiver, "POST /v1/predict", TRACE)
    assert (root.parent, root.kind, root.failed, root.service) == (PARENT, 2, False, "graft-gateway")
    expected = {
        "http.request.method": "POST",
        "http.route": "/v1/predict",
        "http.response.status_code": 200,
        "graft.request_id": "order-66",
        "graft.model": "flowers",
        "graft.version": "1",
        "graft.outcome": "ok",
        "graft.images": 1,
    }
    assert expected.items() <= root.attributes.items()
    children = sorted((each for each in receiver.spans if each.parent == root.span_id), key=lambda each: each.start)
    assert [each.name for each in children] == STAGES
    assert [each.kind == 3 for each in children] == [name == "model_server" for name in STAGES]
    for before, after in pairwise(children):
        assert before.end <= after.start
    assert root.start - 5_000_000 <= children[0].start  # its start is reckoned back from its end, by another clock
    assert children[-1].end <= root.end


def test_the_model_server_is_told_the_context(traced: Traced) -> None:
    """The call carries the trace and the span of its stage as gRPC metadata, with the caller's own trace state."""
    running, receiver, server = traced
    trace = "1" * 32
    headers = {**traceparent(trace=trace), "baggage": "secret=1"}
    running.client.post("/v1/predict", content=draw(mark=b"told"), headers=headers)
    stage = span_of(receiver, "model_server", trace)
    [call] = server.calls.of(mark=b"told")
    assert call.metadata["traceparent"] == f"00-{trace}-{stage.span_id}-01"
    assert call.metadata["tracestate"] == "vendor=1"
    assert "baggage" not in call.metadata


def test_a_failure_marks_its_spans(traced: Traced) -> None:
    """When the model server fails, so do the spans of the stage and the request; what it said is in neither."""
    running, receiver, _ = traced
    trace = "2" * 32
    running.client.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL"), headers=traceparent(trace=trace))
    root, stage = span_of(receiver, "POST /v1/predict", trace), span_of(receiver, "model_server", trace)
    assert root.failed
    assert stage.failed
    assert root.attributes["error.type"] == "model_server_failed"
    assert "model-host" not in str(receiver.spans)


def test_a_refusal_is_no_failure(traced: Traced) -> None:
    """A request that is refused has a span that did not fail, and none of the stages it did not reach."""
    running, receiver, _ = traced
    trace = "3" * 32
    running.client.post("/v1/predict", content=b"text", headers=traceparent(trace=trace))
    root = span_of(receiver, "POST /v1/predict", trace)
    assert not root.failed
    assert root.attributes["graft.outcome"] == "not_an_image"
    assert {each.name for each in receiver.spans if each.parent == root.span_id} == {"receive", "guard"}


def test_probes_make_no_spans(traced: Traced) -> None:
    """What orchestrators and Prometheus ask every few seconds has no spans, and neither has the poll of versions."""
    running, receiver, _ = traced
    trace = "7" * 32
    for path in ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready", "/v2/models/flowers/ready"):
        assert running.client.get(path, headers=traceparent(trace=trace)).status_code == 200
    running.client.get("/v1/models", headers=traceparent(trace=trace))
    span_of(receiver, "GET /v1/models", trace)
    assert [each.name for each in receiver.spans if each.trace_id == trace] == ["GET /v1/models"]
    probes = ("live", "ready", "metrics", "GetModelStatus")
    assert not [each.name for each in receiver.spans if any(word in each.name for word in probes)]


def test_a_trace_that_is_not_kept_makes_no_spans(traced: Traced) -> None:
    """A caller's decision not to keep a trace holds, and goes on to the model server; without one a trace begins."""
    running, receiver, server = traced
    dropped = "4" * 32
    running.client.post("/v1/predict", content=draw(mark=b"dropped"), headers=traceparent("00", dropped))
    running.client.post("/v1/predict", content=draw(mark=b"begun"))
    [call], [begun] = server.calls.of(mark=b"dropped"), server.calls.of(mark=b"begun")
    assert call.metadata["traceparent"].startswith(f"00-{dropped}-")
    assert call.metadata["traceparent"].endswith("-00")
    trace = begun.metadata["traceparent"].split("-")[1]
    assert span_of(receiver, "POST /v1/predict", trace).parent == ""
    assert not [each for each in receiver.spans if each.trace_id == dropped]
    text = running.client.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    assert f'trace_id="{trace}"' in text
    assert dropped not in text


def test_callers_cannot_write_into_spans(traced: Traced) -> None:
    """Paths, query strings and strange contexts of callers are in no span."""
    running, receiver, _ = traced
    broken = {"traceparent": "00-CANARY-b7ad6b7169203331-01", "tracestate": "CANARY"}
    running.client.post("/CANARY/path?x=CANARY", headers=broken)
    wait_until(lambda: bool(receiver.named("POST unmatched")))
    assert "CANARY" not in str(receiver.spans)


def test_spans_are_sent_before_the_end(model_server: FakeModelServer) -> None:
    """What was not sent yet when the gateway is told to end is sent then; variables name the service."""
    with (
        receiving_spans() as receiver,
        tracing_gateway(
            model_server, receiver.address, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_SERVICE_NAME="shop"
        ) as running,
    ):
        running.client.post("/v1/predict", content=draw(), headers=traceparent())
        running.process.terminate()
        assert running.process.wait(20) == 0
        assert [each.service for each in receiver.named("POST /v1/predict", TRACE)] == ["shop"]


def test_a_collector_that_is_away_stops_nothing(model_server: FakeModelServer) -> None:
    """Without a collector requests are answered, and the end is not held up."""
    with tracing_gateway(model_server, "127.0.0.1:1") as running:
        assert running.client.post("/v1/predict", content=draw()).status_code == 200
        running.process.terminate()
        assert running.process.wait(10) == 0


def test_without_tracing_the_context_is_passed_on(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Without tracing a caller's valid trace context goes on to the model server as it came, and no other does."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    gateway.post("/v1/predict", content=draw(mark=b"valid"), headers=traceparent("00"))
    gateway.post("/v1/predict", content=draw(mark=b"broken"), headers={"traceparent": f"00-{'0' * 32}-{PARENT}-01"})
    gateway.post("/v1/predict", content=draw(mark=b"without"))
    [valid], [broken], [without] = (model_server.calls.of(mark=each) for each in (b"valid", b"broken", b"without"))
    assert valid.metadata["traceparent"] == f"00-{TRACE}-{PARENT}-00"
    assert "traceparent" not in broken.metadata
    assert "traceparent" not in without.metadata


def refused_start(environment: Mapping[str, str], **options: str) -> "subprocess.CompletedProcess[str]":
    """Start a gateway that should refuse to; return how it ended."""
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0"]
    given = [f"--set={name}={value}" for name, value in options.items()]
    return subprocess.run(
        [*command, *given], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_tracing_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    """Tracing without OpenTelemetry is one sentence and exit code 2."""
    empty = tmp_path / "opentelemetry" / "sdk"  # stands before the installed one, and has nothing in it
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = refused_start({"PYTHONPATH": path}, tracing="true", workers="2")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("Tracing is on, but OpenTelemetry is not installed (opentelemetry.sdk.")


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_TRACES_EXPORTER", "console")]
)
def test_what_tracing_cannot_do_is_refused(variable: str, value: str) -> None:
    """A standard variable that asks for another exporter is refused by name."""
    with pytest.raises(BadSettingError, match=f"{variable} is '{value}'; only"):
        Tracing.check_variables({variable: value})


def test_without_tracing_nothing_of_it_is_imported() -> None:
    """A gateway that does not trace imports nothing of OpenTelemetry's SDK and exporter."""
    code = (
        "import sys; from gateway.app import create_app; from gateway.settings import Settings;"
        "create_app(Settings(models=('flowers',)));"
        "unwanted = ('opentelemetry.sdk', 'opentelemetry.exporter');"
        "print([name for name in sys.modules if name.startswith(unwanted)])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
