"""One trace of one request: through a real gateway and the model server behind it."""

from itertools import pairwise

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the extra `tracing` is not installed")

from tests.drawn.images import encoded, gradient
from tests.end_to_end.command import started
from tests.end_to_end.conftest import SERVED, Trained
from tests.fakes.collector.spans import ReceivedSpan, receiving_spans
from tests.gateway.waiting import wait_until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
METHOD = "tensorflow.serving.PredictionService/Predict"
GATEWAY, SERVER = "graft-gateway", "graft-model-server"
PARENTS = {
    (GATEWAY, "receive"): (GATEWAY, "POST /v1/predict"),
    (GATEWAY, "guard"): (GATEWAY, "POST /v1/predict"),
    (GATEWAY, "queue"): (GATEWAY, "POST /v1/predict"),
    (GATEWAY, "model_server"): (GATEWAY, "POST /v1/predict"),
    (SERVER, METHOD): (GATEWAY, "model_server"),
    (SERVER, "queue"): (SERVER, METHOD),
    (SERVER, "run"): (SERVER, METHOD),
    (SERVER, "decode"): (SERVER, "run"),
    (SERVER, "network"): (SERVER, "run"),
    (GATEWAY, "label"): (GATEWAY, "POST /v1/predict"),
}
"""The parent of each span by service and name, in the order in which they begin."""
CLOCK = 5_000_000
"""Nanoseconds: `receive` is reckoned back from its end, by another clock."""


def test_one_request_is_one_trace_through_both_processes(colours: Trained) -> None:
    """`GATEWAY_TRACING` traces both programs of `graft up`; each span is in the right one, and within its time."""
    with receiving_spans() as receiver:
        variables = {
            "GATEWAY_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.address}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        command = ("up", "--models", colours.models, "--port", "0", "--engine", "litert")
        with started(*command, announces=SERVED, **variables) as service, service.client() as client:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "Content-Type": "image/jpeg"}
            response = client.post("/v1/predict", content=encoded(gradient(), "JPEG"), headers=headers)
            assert response.status_code == 200
            wait_until(lambda: len([each for each in receiver.spans if each.trace_id == TRACE]) > len(PARENTS))
    spans: dict[tuple[str, str], ReceivedSpan] = {
        (each.service, each.name): each for each in receiver.spans if each.trace_id == TRACE
    }
    assert set(spans) == {(GATEWAY, "POST /v1/predict"), *PARENTS}
    assert spans[GATEWAY, "POST /v1/predict"].parent == PARENT
    for name, parent in PARENTS.items():
        child, around = spans[name], spans[parent]
        assert child.parent == around.span_id, name
        assert around.start - CLOCK <= child.start <= child.end <= around.end, name
    for before, after in pairwise(PARENTS):
        assert spans[before].start <= spans[after].start + CLOCK, (before, after)
