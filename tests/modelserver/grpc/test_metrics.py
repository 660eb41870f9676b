"""What is counted, and the port that shows it."""

import asyncio
import http.client
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract import serving_messages as messages
from modelserver.errors import BadInputError, ModelNotFoundError, SettingError
from modelserver.grpc.metrics_port import metrics_path, metrics_port
from modelserver.metrics import ModelServerMetrics

PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@pytest.fixture
def metrics() -> ModelServerMetrics:
    """Metrics of a server with the model `flowers`."""
    return ModelServerMetrics(lambda name: name == "flowers")


def _page(metrics: ModelServerMetrics) -> str:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    return b"".join(metrics.page(environ, lambda *_: lambda _: None)).decode()


def _samples(metrics: ModelServerMetrics) -> dict[str, float]:
    """Return the value of each series that has one other than 0, buckets left out."""
    lines = [line for line in _page(metrics).splitlines() if not line.startswith("#")]
    values = dict(line.rsplit(" ", 1) for line in lines if "_bucket{" not in line)
    return {series: float(value) for series, value in values.items() if float(value)}


def _request(name: str = "flowers") -> Any:
    return messages.PredictRequest(model_spec={"name": name})


async def _respond_with_version_3(_: Any) -> Any:
    return messages.PredictResponse(model_spec={"name": "flowers", "version": {"value": 3}})


def test_answers_are_counted_by_version(metrics: ModelServerMetrics) -> None:
    """Count and latency carry the version that answered, under the real server's names and labels."""
    asyncio.run(metrics.counted("Predict", _respond_with_version_3)(_request()))
    samples = _samples(metrics)
    assert samples[':tensorflow:serving:request_count{model_name="flowers",status="OK",version="3"}'] == 1
    labels = '{API="Predict",entrypoint="GRPC",model_name="flowers",version="3"}'
    assert samples[f":tensorflow:serving:request_latency_count{labels}"] == 1
    assert 0 < samples[f":tensorflow:serving:request_latency_sum{labels}"] < 1e6


def test_failures_are_counted_by_status(metrics: ModelServerMetrics) -> None:
    """A failed request is counted with its status, has no latency, and passes its error on."""

    async def refuse(_: Any) -> Any:
        raise BadInputError("no")

    with pytest.raises(BadInputError):
        asyncio.run(metrics.counted("Predict", refuse)(_request()))
    counted = ':tensorflow:serving:request_count{model_name="flowers",status="INVALID_ARGUMENT",version=""}'
    assert _samples(metrics) == {counted: 1}


def test_names_that_callers_make_up_are_no_labels(metrics: ModelServerMetrics) -> None:
    """However many names are asked for, they are one series."""

    async def find_nothing(_: Any) -> Any:
        raise ModelNotFoundError("no")

    for number in range(50):
        with pytest.raises(ModelNotFoundError):
            asyncio.run(metrics.counted("Predict", find_nothing)(_request(f"made-up-{number}")))
    counted = ':tensorflow:serving:request_count{model_name="unknown",status="NOT_FOUND",version=""}'
    assert _samples(metrics) == {counted: 50}


def test_several_tasks_are_one_request(metrics: ModelServerMetrics) -> None:
    """A MultiInference request counts for the model of its first task; one without tasks for no model."""
    spec = {"name": "flowers", "version": {"value": 3}}

    async def respond(request: Any) -> Any:
        return messages.MultiInferenceResponse(results=[{"model_spec": spec} for _ in request.tasks])

    counted = metrics.counted("MultiInference", respond)
    asyncio.run(counted(messages.MultiInferenceRequest(tasks=[{"model_spec": spec}, {"model_spec": spec}])))
    assert _samples(metrics)[':tensorflow:serving:request_count{model_name="flowers",status="OK",version="3"}'] == 1


def test_loads_and_runs_are_counted(metrics: ModelServerMetrics, tmp_path: Path) -> None:
    """Loads by folder and outcome, runs of graphs in all; times are whole microseconds."""
    metrics.count_load(tmp_path, 0.25, ok=True)
    metrics.count_load(tmp_path, 0.5, ok=False)
    metrics.count_warmup(tmp_path, 0.125, ok=True)
    metrics.count_run(0.002)
    metrics.count_run(0.001)
    place = f'model_path="{tmp_path}"'
    assert _samples(metrics) == {
        f':tensorflow:cc:saved_model:load_attempt_count{{{place},status="success"}}': 1,
        f':tensorflow:cc:saved_model:load_attempt_count{{{place},status="fail"}}': 1,
        f":tensorflow:cc:saved_model:load_latency{{{place}}}": 250_000,
        f':tensorflow:serving:model_warmup_latency_count{{{place},status="success"}}': 1,
        f':tensorflow:serving:model_warmup_latency_sum{{{place},status="success"}}': 125_000,
        ":tensorflow:core:graph_runs": 2,
        ":tensorflow:core:graph_run_time_usecs": 3000,
    }


def test_the_page_is_prometheus_text_with_the_real_names(metrics: ModelServerMetrics, tmp_path: Path) -> None:
    """Counters have no suffix that the real server's lack, types are right, and a hostile label stays a label."""
    metrics.count_load(tmp_path / 'a_total{ "b"\n', 0.25, ok=True)
    text = _page(metrics)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name: family.type for name, family in families.items()} == {
        ":tensorflow:serving:request_count": "counter",
        ":tensorflow:serving:request_latency": "histogram",
        ":tensorflow:core:graph_runs": "counter",
        ":tensorflow:core:graph_run_time_usecs": "counter",
        ":tensorflow:cc:saved_model:load_attempt_count": "counter",
        ":tensorflow:cc:saved_model:load_latency": "counter",
        ":tensorflow:serving:model_warmup_latency": "histogram",
        "graft_modelserver_image_decoders": "counter",
        "graft_modelserver_images_left_to_tensorflow": "counter",
        "graft_modelserver_log_lines_dropped": "counter",
    }
    (load,) = families[":tensorflow:cc:saved_model:load_attempt_count"].samples
    assert load.labels == {"model_path": str(tmp_path / 'a_total{ "b"\n'), "status": "success"}
    assert "_created" not in text


def test_buckets_are_those_of_the_real_server(metrics: ModelServerMetrics) -> None:
    """From 10 µs, each 1.8 times the one before, the last bound at 25 minutes."""
    asyncio.run(metrics.counted("Predict", _respond_with_version_3)(_request()))
    lines = [line for line in _page(metrics).splitlines() if "request_latency_bucket" in line]
    bounds = [line.partition('le="')[2].partition('"')[0] for line in lines]
    assert len(bounds) == 34
    assert (bounds[:2], bounds[-1]) == (["10.0", "18.0"], "+Inf")
    assert 24 * 60e6 < float(bounds[-2]) < 26 * 60e6


@pytest.fixture
def port(metrics: ModelServerMetrics) -> Iterator[int]:
    """A port that shows them."""
    with metrics_port("127.0.0.1", 0, PATH, metrics.page) as port:
        yield port


def _send(
    port: int, method: str, target: str, body: bytes | None = None, accept: str = "*/*"
) -> tuple[int, str | None, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, {"Accept": accept})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read().decode()
    finally:
        connection.close()


def test_the_port_shows_metrics(port: int, metrics: ModelServerMetrics) -> None:
    """GET returns the page, with or without a query, in the same format whatever the client accepts."""
    page = _page(metrics)
    assert _send(port, "GET", PATH) == (200, CONTENT_TYPE, page)
    assert _send(port, "GET", f"{PATH}?name=x") == (200, CONTENT_TYPE, page)
    openmetrics = "application/openmetrics-text; version=1.0.0, text/plain; version=1.0.0"
    assert _send(port, "GET", PATH, accept=openmetrics) == (200, CONTENT_TYPE, page)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("POST", "/predict"),
        ("HEAD", "/"),
        ("GET", f"{PATH}/"),
    ],
)
def test_the_port_shows_nothing_else(port: int, method: str, target: str) -> None:
    """All else is 404, with a sentence that says what is here."""
    status, _, body = _send(port, method, target, b"{}" if method == "POST" else None)
    assert status == 404
    text = f"This port shows metrics at {PATH} and nothing else; models are served over gRPC.\n"
    assert body == ("" if method == "HEAD" else text)


@pytest.mark.parametrize(("method", "target"), [("POST", ":predict"), ("GET", ""), ("GET", "/versions/1/metadata")])
def test_who_looks_for_the_rest_api_is_told_where_it_is(port: int, method: str, target: str) -> None:
    """It is the gateway's, whatever else this port shows."""
    status, _, body = _send(port, method, f"/v1/models/flowers{target}", b"{}" if method == "POST" else None)
    assert status == 404
    assert "REST API is that of the gateway (graft gateway)" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_metrics_are_only_read(port: int, method: str) -> None:
    """Another method than GET is not allowed at the path of the metrics."""
    assert _send(port, method, PATH)[0] == 405


def test_a_port_without_metrics_says_how_to_turn_them_on(metrics: ModelServerMetrics) -> None:
    """Without a monitoring file, or with one that does not enable them, there are none."""
    with metrics_port("127.0.0.1", 0, None, metrics.page) as port:
        status, _, body = _send(port, "GET", PATH)
    assert (status, body) == (404, "Metrics are not shown; --monitoring_config_file turns them on.\n")


def test_a_client_that_says_nothing_does_not_hold_up_the_end(metrics: ModelServerMetrics) -> None:
    """The port closes although a client is connected to it."""
    with metrics_port("127.0.0.1", 0, PATH, metrics.page) as port:
        silent = socket.create_connection(("127.0.0.1", port))
        assert _send(port, "GET", PATH)[0] == 200
    with silent, pytest.raises(ConnectionRefusedError):
        _send(port, "GET", PATH)


class _LastMessage(logging.Handler):
    """Keeps the last message, and says that there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self.is_there = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
        self.is_there.set()


def test_a_connection_that_breaks_is_no_traceback(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that resets its connection within a request leaves one line in the log, for debugging."""
    logger, log = logging.getLogger("modelserver.grpc.metrics_port"), _LastMessage()
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    try:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET /monit")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # so that close resets
        client.close()
        assert log.is_there.wait(30)
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(log)
    assert "metrics: the connection from ('127.0.0.1', " in log.last
    assert _send(port, "GET", PATH)[0] == 200
    assert capfd.readouterr().err == ""


def test_a_taken_port_is_named(metrics: ModelServerMetrics, port: int) -> None:
    """Two servers cannot show metrics on one port."""
    with (
        pytest.raises(SettingError, match=rf"127\.0\.0\.1:{port} cannot be listened on for metrics"),
        metrics_port("127.0.0.1", port, PATH, metrics.page),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("prometheus_config { enable: true }", PATH),
        ('prometheus_config { enable: true, path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: false }", None),
        ('prometheus_config { path: "/metrics" }', None),
        ("", None),
    ],
)
def test_the_monitoring_file_is_the_real_servers(tmp_path: Path, content: str, path: str | None) -> None:
    """A MonitoringConfig in text form turns metrics on, and may move them."""
    (tmp_path / "monitoring.config").write_text(content)
    assert metrics_path(tmp_path / "monitoring.config") == path


def test_a_monitoring_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Another message, or a path that no request can have, is refused."""
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus: true")
    with pytest.raises(SettingError, match=r"monitoring\.config is not a MonitoringConfig in text form: "):
        metrics_path(file)
    file.write_text('prometheus_config { enable: true path: "metrics" }')
    with pytest.raises(SettingError, match=r"The path 'metrics' in .* does not begin with a slash\."):
        metrics_path(file)
    assert metrics_path(None) is None
