"""What was asked and answered is counted, under labels from bounded sets."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.conftest import StartGateway
from tests.gateway.pictures import draw
from tests.gateway.waiting import wait_until_ready


def read_metrics(gateway: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the values at /metrics by name and labels."""
    text = gateway.get("/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def value(gateway: httpx.Client, name: str, **labels: str) -> float:
    """Return one value, 0 where there is none yet."""
    return read_metrics(gateway).get((f"graft_gateway_{name}", frozenset(labels.items())), 0)


def test_requests_are_counted_by_outcome(own_gateway: httpx.Client) -> None:
    """Each request adds one to its route, model and outcome, and to the durations of its route."""
    for content in (draw(), draw(), b"text", draw(mark=b"STATUS:INTERNAL")):
        own_gateway.post("/v1/predict", content=content)
    labels = {"route": "/v1/predict", "model": "flowers"}
    assert value(own_gateway, "requests_total", **labels, outcome="ok") == 2
    assert value(own_gateway, "requests_total", **labels, outcome="not_an_image") == 1
    assert value(own_gateway, "requests_total", **labels, outcome="model_server_failed") == 1
    assert value(own_gateway, "request_duration_seconds_count", route="/v1/predict") == 4


def test_pictures_are_counted_by_outcome(own_gateway: httpx.Client) -> None:
    """Each picture of a batch counts for itself."""
    files = [("file", draw()), ("file", draw()), ("file", b"text"), ("file", draw(mark=b"BROKEN"))]
    own_gateway.post("/v1/predict", files=files)
    for outcome, count in (("ok", 2), ("not_an_image", 1), ("undecodable_image", 1)):
        assert value(own_gateway, "pictures_total", model="flowers", outcome=outcome) == count


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


def test_metrics_are_prometheus_text(own_gateway: httpx.Client) -> None:
    """/metrics declares the text format that it is written in."""
    assert own_gateway.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
