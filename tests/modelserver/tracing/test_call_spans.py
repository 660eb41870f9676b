"""Calls are traced: in their caller's trace, with spans for waiting, the run, decoding and the network."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from contract import serving_messages as messages

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the extra `tracing` is not installed")

from tests.drawn.images import encoded, gradient
from tests.fakes.collector.spans import ReceivedSpan, SpanReceiver, receiving_spans
from tests.gateway.waiting import wait_until
from tests.modelserver.litert_versions import image, write_version
from tests.modelserver.tracing.traced_server import PARENT, PREDICT, TracedServer, context, images, traced_server

BATCHES = """
max_batch_size { value: 4 } batch_timeout_micros { value: 60000000 } num_batch_threads { value: 1 }
max_enqueued_batches { value: 100 }
"""
"""A batch waits until it is full."""
FOUR = images(*map(image, range(4)))
STAGES = {PREDICT, "queue", "run", "decode", "network"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    """The receiver of all spans of this file."""
    with receiving_spans() as receiving:
        yield receiving


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of a model that LiteRT runs."""
    base_path = tmp_path_factory.mktemp("models") / "colours"
    base_path.mkdir()
    write_version(base_path / "1")
    return base_path


@pytest.fixture(scope="module")
def batched(colours: Path, receiver: SpanReceiver) -> Iterator[TracedServer]:
    """A server with LiteRT that batches four rows, or waits for them."""
    file = colours.parent / "batching.config"
    file.write_text(BATCHES)
    with traced_server(
        *(colours, receiver), "--engine=litert", "--enable_batching", f"--batching_parameters_file={file}"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def scale(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path], receiver: SpanReceiver
) -> Iterator[TracedServer]:
    """A server with TensorFlow, without batches."""
    base_path = tmp_path_factory.mktemp("models") / "scale"
    publish(base_path, 1, 2.0)
    with traced_server(base_path, receiver, "--grpc_max_threads=1") as server:
        yield server


def assert_within(child: ReceivedSpan, parent: ReceivedSpan) -> None:
    assert child.parent == parent.span_id
    assert parent.start <= child.start <= child.end <= parent.end


def test_a_call_is_one_tree_in_its_callers_trace(batched: TracedServer) -> None:
    """The method is a child of the caller's span, with the queue and then the run in it, which has its two stages."""
    trace = "1" * 32
    batched.predict("colours", FOUR, context(trace)).result()
    spans = batched.tree(trace, STAGES)
    method, queue, run, decode, network = (spans[each] for each in (PREDICT, "queue", "run", "decode", "network"))
    assert (method.parent, method.kind, method.failed, method.service) == (PARENT, 2, False, "graft-model-server")
    assert method.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": PREDICT,
        "rpc.response.status_code": "OK",
        "graft.model": "colours",
        "graft.version": "1",
    }
    for child in (queue, run):
        assert_within(child, method)
    for child in (decode, network):
        assert_within(child, run)
        assert child.attributes["graft.rows"] == 4
        assert child.attributes["graft.busy_ms"] > 0
    assert queue.end <= run.start
    assert decode.start <= network.start
    about = {"graft.engine": "LiteRT", "graft.signature": "serving_default", "graft.rows": 4, "graft.requests": 1}
    assert run.attributes == about


def test_each_call_of_a_shared_run_has_spans_of_its_own(batched: TracedServer) -> None:
    """Two traces whose rows were in one run each have it, with the rows and requests of both."""
    traces = ("2" * 32, "3" * 32)
    two = images(image(0), image(1))
    calls = [batched.predict("colours", two, context(trace)) for trace in traces]
    for call in calls:
        call.result()
    first, second = (batched.tree(trace, STAGES) for trace in traces)
    for spans in (first, second):
        assert_within(spans["run"], spans[PREDICT])
        assert (spans["run"].attributes["graft.rows"], spans["run"].attributes["graft.requests"]) == (4, 2)
    assert first["network"].start == second["network"].start
    assert first["network"].end == second["network"].end


def test_the_callers_decision_holds(batched: TracedServer) -> None:
    """What the caller does not keep makes no spans, not even in a run that it shares with one that is kept."""
    kept, dropped = "4" * 32, "5" * 32
    two = images(image(0), image(1))
    calls = [batched.predict("colours", two, context(dropped, "00")), batched.predict("colours", two, context(kept))]
    for call in calls:
        call.result()
    assert batched.tree(kept, STAGES)["run"].attributes["graft.requests"] == 2
    assert batched.spans(dropped) == []


def test_a_large_image_is_decoded_before_it_waits(batched: TracedServer) -> None:
    """The span of a large image's decoding is in that of the method, before the queue, and the run has the network."""
    trace = "6" * 32
    large = encoded(gradient(1200, 1000), "JPEG")
    batched.predict("colours", images(large, large, large, large), context(trace)).result()
    spans = batched.tree(trace, STAGES)
    assert_within(spans["decode"], spans[PREDICT])
    assert spans["decode"].attributes["graft.large_images"] is True
    assert spans["decode"].end <= spans["queue"].start
    assert_within(spans["network"], spans["run"])


def test_a_call_without_a_context_begins_a_trace(batched: TracedServer) -> None:
    """So it does with a context that is none, and what callers write into one is in no span."""
    batched.predict("colours", FOUR).result()
    broken = (("traceparent", f"00-{'0' * 32}-{PARENT}-01"), ("tracestate", "CANARY"), ("baggage", "CANARY=1"))
    batched.predict("colours", FOUR, broken).result()
    wait_until(lambda: len([each for each in batched.receiver.named(PREDICT) if each.parent == ""]) == 2)
    assert "CANARY" not in str(batched.receiver.spans)


def test_who_leaves_the_queue_ends_its_spans(batched: TracedServer) -> None:
    """A call that is cancelled while it waits has ended spans, none of a run, and has not failed."""
    trace = "7" * 32
    waiting = batched.predict("colours", images(image(0)), context(trace))
    batched.wait_for_version("colours")  # answered on the same connection: the request has arrived before
    waiting.cancel()
    spans = batched.tree(trace, {PREDICT, "queue"})
    assert spans[PREDICT].attributes["rpc.response.status_code"] == "CANCELLED"
    assert not spans[PREDICT].failed
    assert_within(spans["queue"], spans[PREDICT])


def test_refusals_are_no_failures_of_the_server(batched: TracedServer) -> None:
    """An unknown model is a span that did not fail, without the name; what cannot be done is one that did."""
    unknown, impossible = "8" * 32, "9" * 32
    with pytest.raises(grpc.RpcError):
        batched.predict("CANARY", FOUR, context(unknown)).result()
    request = messages.MultiInferenceRequest(tasks=[{"model_spec": {"name": "colours"}, "method_name": "CANARY"}])
    request.input.example_list.examples.add()
    with pytest.raises(grpc.RpcError):
        batched.send(f"{messages.PREDICTION_SERVICE}/MultiInference", request, context(impossible)).result()
    refused = batched.tree(unknown, {PREDICT})[PREDICT]
    assert (refused.failed, refused.attributes["rpc.response.status_code"]) == (False, "NOT_FOUND")
    failed = batched.tree(impossible, {f"{messages.PREDICTION_SERVICE}/MultiInference"}).popitem()[1]
    assert (failed.failed, failed.attributes["error.type"]) == (True, "UNIMPLEMENTED")
    assert "CANARY" not in str(batched.receiver.spans)


def test_probes_and_polls_make_no_spans(batched: TracedServer) -> None:
    """Health and the states of versions make no spans, whatever context they come with."""
    trace = "a" * 32
    health = messages.GetModelStatusRequest(model_spec={"name": ""})  # an empty message is a HealthCheckRequest, too
    batched.send("grpc.health.v1.Health/Check", health, context(trace)).result()
    status = messages.GetModelStatusRequest(model_spec={"name": "colours"})
    batched.send(f"{messages.MODEL_SERVICE}/GetModelStatus", status, context(trace)).result()
    batched.predict("colours", FOUR, context(trace)).result()
    batched.tree(trace, STAGES)
    assert {each.name for each in batched.receiver.spans} <= {*STAGES, f"{messages.PREDICTION_SERVICE}/MultiInference"}


def test_one_graph_is_one_span(scale: TracedServer) -> None:
    """TensorFlow runs decoding and network in one graph: the run has no stages, and says which engine it was."""
    trace = "b" * 32
    scale.predict("scale", {"x": np.ones(3, np.float32)}, context(trace)).result()
    spans = scale.tree(trace, {PREDICT, "queue", "run"})
    assert_within(spans["queue"], spans[PREDICT])
    assert_within(spans["run"], spans[PREDICT])
    assert (spans["run"].attributes["graft.engine"], spans["run"].attributes["graft.rows"]) == ("TensorFlow", 3)


def test_a_deadline_that_passes_is_a_failure(scale: TracedServer) -> None:
    """The method fails as DEADLINE_EXCEEDED, and the run that was stopped has ended, too."""
    trace = "c" * 32
    with pytest.raises(grpc.RpcError):
        scale.predict(
            *("scale", {"n": np.array(2_000_000_000, np.int32)}, context(trace), 0.5), signature_name="slow"
        ).result()
    spans = scale.tree(trace, {PREDICT, "queue", "run"})
    assert (spans[PREDICT].failed, spans[PREDICT].attributes["error.type"]) == (True, "DEADLINE_EXCEEDED")
    assert (spans["run"].failed, spans["run"].attributes["error.type"]) == (True, "CallCancelledError")


def test_spans_are_sent_before_the_end(colours: Path, receiver: SpanReceiver) -> None:
    """What was not sent yet at SIGTERM is sent then; variables name the service."""
    trace = "d" * 32
    later = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_SERVICE_NAME": "shop"}
    with traced_server(colours, receiver, "--engine=litert", **later) as server:
        server.predict("colours", FOUR, context(trace)).result()
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert {each.service for each in server.spans(trace)} == {"shop"}
        assert len(server.spans(trace)) == len(STAGES)


def test_a_collector_that_says_nothing_stops_nothing(colours: Path, receiver: SpanReceiver) -> None:
    """With a collector that accepts connections and never responds, calls are served and SIGTERM ends in time."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        collector = f"127.0.0.1:{silent.getsockname()[1]}"
        full = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
        with traced_server(colours, receiver, "--engine=litert", collector=collector, **full) as server:
            for _ in range(20):
                server.predict("colours", FOUR, seconds=10).result()
            server.process.terminate()
            assert server.process.wait(12) == 0, "three seconds for the spans, and what ending takes anyway"


def refused(*flags: str, **variables: str) -> str:
    """Start a model server that must not start; return what it said."""
    command = [sys.executable, "-m", "graft", "modelserver", "--model_base_path=/nowhere", "--port=0", *flags]
    ended = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_tracing_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    """Tracing without OpenTelemetry is one sentence before anything is loaded."""
    empty = tmp_path / "opentelemetry" / "sdk"  # stands before the installed one, and has nothing in it
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert "--tracing is given, but OpenTelemetry is not installed (opentelemetry." in refused(
        "--tracing", PYTHONPATH=path
    )


@pytest.mark.parametrize(
    ("variable", "value", "rest"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "only grpc is supported"),
        ("OTEL_TRACES_SAMPLER", "parentbased", "always_on, "),
    ],
)
def test_what_tracing_cannot_do_is_refused(variable: str, value: str, rest: str) -> None:
    """A standard variable that asks for something else is refused by name."""
    said = refused("--tracing", **{variable: value})
    assert f"{variable} is '{value}'; {rest}" in said


def test_without_tracing_nothing_of_it_is_imported() -> None:
    """A model server that does not trace imports nothing of OpenTelemetry."""
    code = (
        "import sys; from modelserver.settings import ModelServerSettings;"
        "from modelserver.tracing.switch import open_tracing; import modelserver.server, modelserver.start_check;"
        "assert open_tracing(ModelServerSettings(model_base_path='.')) is None;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
