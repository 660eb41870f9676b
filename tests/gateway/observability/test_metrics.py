"""What was asked and answered is counted, under labels from bounded sets."""

import httpx
import pytest
from prometheus_client.openmetrics import parser as openmetrics

from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.metric_values import read_metrics, value
from tests.gateway.raw_requests import sent
from tests.gateway.waiting import wait_until, wait_until_ready

COUNTED = ("backend_attempts_total", "backend_duration_seconds_count")


def test_requests_are_counted_by_outcome(own_gateway: httpx.Client) -> None:
    """Each request adds one to its route, model and outcome, and to the durations of its route."""
    for content in (draw(), draw(), b"text", draw(mark=b"STATUS:INTERNAL")):
        own_gateway.post("/v1/predict", content=content)
    labels = {"route": "/v1/predict", "model": "flowers"}
    assert value(own_gateway, "requests_total", **labels, outcome="ok") == 2
    assert value(own_gateway, "requests_total", **labels, outcome="not_an_image") == 1
    assert value(own_gateway, "requests_total", **labels, outcome="model_server_failed") == 1
    assert value(own_gateway, "request_duration_seconds_count", route="/v1/predict") == 4


def test_images_are_counted_by_outcome(own_gateway: httpx.Client) -> None:
    """Each image of a batch counts for itself."""
    files = [("file", draw()), ("file", draw()), ("file", b"text"), ("file", draw(mark=b"BROKEN"))]
    own_gateway.post("/v1/predict", files=files)
    for outcome, count in (("ok", 2), ("not_an_image", 1), ("undecodable_image", 1)):
        assert value(own_gateway, "images_total", model="flowers", outcome=outcome) == count


def test_calls_to_the_model_server_are_timed(own_gateway: httpx.Client) -> None:
    """Each gRPC call is timed under its method and its status."""
    for content in (draw(), draw(mark=b"STATUS:INTERNAL")):
        own_gateway.post("/v1/predict", content=content)
    assert value(own_gateway, "backend_duration_seconds_count", method="Predict", code="INTERNAL") == 1
    assert value(own_gateway, "backend_duration_seconds_count", method="Predict", code="OK") >= 1
    assert value(own_gateway, "backend_duration_seconds_count", method="GetModelStatus", code="OK") >= 1


def test_callers_cannot_invent_labels(own_gateway: httpx.Client) -> None:
    """Names and paths that callers make up share one label."""
    for number in range(5):
        own_gateway.post(f"/v1/predict?model=made-up-{number}", content=draw())
        own_gateway.get(f"/made-up/{number}")
    labels = {"route": "/v1/predict", "model": "unknown", "outcome": "unknown_model"}
    assert value(own_gateway, "requests_total", **labels) == 5
    assert value(own_gateway, "requests_total", route="unmatched", model="none", outcome="no_such_path") == 5
    assert "made-up" not in own_gateway.get("/metrics").text


def test_two_gateways_count_for_themselves(start_gateway: StartGateway) -> None:
    """Two applications in one process do not share their metrics."""
    first, second = start_gateway(), start_gateway()
    wait_until_ready(first)
    first.post("/v1/predict", content=draw())
    labels = {"route": "/v1/predict", "model": "flowers", "outcome": "ok"}
    assert value(first, "requests_total", **labels) == 1
    assert value(second, "requests_total", **labels) == 0


def test_requests_tell_protocol_and_version(own_gateway: httpx.Client) -> None:
    """Each protocol counts for itself, with the version that answered; `none` where none did."""
    image = draw()
    own_gateway.post("/v1/predict", content=image)
    own_gateway.post("/v1/predict", content=b"text")
    own_gateway.get("/v1/models/flowers/metadata")
    own_gateway.get("/v2/models/flowers")
    seen = {"native": "/v1/predict", "tensorflow": "/v1/models/{target:path}", "open_inference": "/v2/models/{model}"}
    for protocol, route in seen.items():
        labels = {"protocol": protocol, "route": route, "model": "flowers", "version": "1", "outcome": "ok"}
        assert value(own_gateway, "requests_total", **labels) == 1
        assert value(own_gateway, "request_duration_seconds_count", protocol=protocol, route=route) >= 1
    assert value(own_gateway, "requests_total", version="none", outcome="not_an_image") == 1


def test_refusals_are_counted_once(own_gateway: httpx.Client) -> None:
    """A request or an image that is refused for what it is counts once by its code; failures of ours do not."""
    own_gateway.post("/v1/predict", content=b"text")
    own_gateway.post("/v1/predict", files=[("file", draw()), ("file", b"text")])
    own_gateway.post("/v1/predict?top_k=many", content=draw())
    own_gateway.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL"))
    assert value(own_gateway, "refusals_total", reason="not_an_image") == 2
    assert value(own_gateway, "refusals_total", reason="bad_parameter") == 1
    assert value(own_gateway, "refusals_total") == 3


def test_stages_are_timed(own_gateway: httpx.Client) -> None:
    """A native request has all five stages; what is refused by the guard has no later ones."""
    own_gateway.post("/v1/predict", content=draw())
    own_gateway.post("/v1/predict", content=b"text")
    own_gateway.get("/v1/models")
    for stage, count in (("receive", 2), ("guard", 2), ("queue", 1), ("model_server", 1), ("label", 1)):
        assert value(own_gateway, "stage_duration_seconds_count", stage=stage) == count


def test_answers_are_counted_by_class_and_confidence(own_gateway: httpx.Client) -> None:
    """Each image counts under its likeliest class, with its probability and its sizes; refused ones do not."""
    images = [draw(mark=b"%d" % number) for number in range(5)]
    responses = [own_gateway.post("/v1/predict", content=each).json()["predictions"][0] for each in images]
    own_gateway.post("/v1/predict", content=draw(mark=b"BROKEN"))
    for label in {response["label"] for response in responses}:
        count = sum(response["label"] == label for response in responses)
        assert value(own_gateway, "predicted_total", model="flowers", **{"class": label}) == count
    total = sum(response["probability"] for response in responses)
    assert value(own_gateway, "confidence_sum", model="flowers", version="1") == pytest.approx(total)
    assert value(own_gateway, "image_bytes_sum") == sum(map(len, images))
    assert value(own_gateway, "image_pixels_count") == 5
    assert value(own_gateway, "image_pixels_sum") == 5 * 8 * 8


def test_attempts_are_counted(own_gateway: httpx.Client) -> None:
    """What gRPC tries again by itself shows in the attempts, and not in the calls."""
    wait_until(lambda: value(own_gateway, "backend_attempts_total") > 0)
    called = own_gateway.post("/v1/predict", content=draw(mark=b"FIRST:2:UNAVAILABLE"))
    assert called.status_code == 200
    assert value(own_gateway, "backend_duration_seconds_count", method="Predict") == 2  # describe is one, too

    def more() -> float:
        text = read_metrics(own_gateway)
        total = {name: sum(seen for (each, _), seen in text.items() if each.endswith(name)) for name in COUNTED}
        return total["backend_attempts_total"] - total["backend_duration_seconds_count"]

    wait_until(lambda: more() == 2)


def test_slots_and_queue_are_shown(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Requests before the model server, those that wait, and how many may be there, are gauges."""
    gateway = start_gateway(max_in_flight=1, queue_timeout_seconds=30)
    wait_until_ready(gateway)
    with model_server.holding(), sent(gateway, draw(), draw()):
        wait_until(lambda: value(gateway, "queued") == 1)
        assert value(gateway, "in_flight") == 1
        assert value(gateway, "in_flight_limit") == 1
    wait_until(lambda: value(gateway, "queued") == value(gateway, "in_flight") == 0)


def test_metrics_are_prometheus_text(own_gateway: httpx.Client) -> None:
    """/metrics is Prometheus's text format, without a second series for each that says since when it is there."""
    response = own_gateway.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "_created" not in response.text


def test_durations_name_the_trace(own_gateway: httpx.Client) -> None:
    """Who accepts OpenMetrics finds the trace id of a kept trace at the durations; one that is not kept is no link."""
    kept, dropped = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
    for trace, flags in ((kept, "01"), (dropped, "00")):
        header = {"traceparent": f"00-{trace}-b7ad6b7169203331-{flags}"}
        own_gateway.post("/v1/predict", content=draw(), headers=header)
    accept = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"}
    response = own_gateway.get("/metrics", headers=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found: dict[str, set[str]] = {}
    for family in openmetrics.text_string_to_metric_families(response.text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if sample.exemplar is not None:
                found.setdefault(family.name, set()).add(sample.exemplar.labels["trace_id"])
    assert found == {
        "graft_gateway_request_duration_seconds": {kept},
        "graft_gateway_stage_duration_seconds": {kept},
    }
    assert "trace_id" not in own_gateway.get("/metrics").text
