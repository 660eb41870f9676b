"""The log: a line for each request, in a shape that machines read, and nothing in it that should not be there."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.observability.logs import RequestLog, set_up_logs
from gateway.settings import Settings
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.gateway_process import gateway_process
from tests.gateway.images import draw
from tests.gateway.observations import observation_of
from tests.gateway.running import settings_for
from tests.gateway.security.api_keys import Keys, bearer, public_id
from tests.gateway.waiting import wait_until, wait_until_ready

TRACE = "0af7651916cd43dd8448eb211c80319c"
CONTROL = "\n\r\t\x1b[31m\x00\x7f\x85\u2028 {evil}"


class Terminal(io.StringIO):
    """Text that says it is shown on a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> "Lines":
    """What gateways of this test log; wanted before the gateways, so that they find it."""
    return Lines(capsys)


class Lines:
    """The lines on standard error so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        """Everything."""
        self._text += self._capsys.readouterr().err
        return self._text

    def of_requests(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the lines of requests that have these values."""
        read = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [each for each in read if each["event"] == "request" and wanted.items() <= each.items()]

    def the_one(self, **wanted: Any) -> dict[str, Any]:
        """Return the only line of a request that has these values, once it is there."""
        wait_until(lambda: bool(self.of_requests(**wanted)))
        [line] = self.of_requests(**wanted)
        return line


def test_a_request_has_one_line(lines: Lines, start_gateway: StartGateway) -> None:
    """The line of a request says what was asked, who answered, how it ended, how long it took and how much it was."""
    gateway, image = start_gateway(), draw()
    wait_until_ready(gateway)
    headers = {"X-Request-ID": "order-66", "traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}
    response = gateway.post("/v1/predict?top_k=1", content=image, headers=headers)
    line = lines.the_one(request_id="order-66")
    assert 0 < line.pop("duration_ms") < 10_000
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "order-66",
        "trace_id": TRACE,
        "route": "/v1/predict",
        "protocol": "native",
        "model": "flowers",
        "version": "1",
        "outcome": "ok",
        "status": 200,
        "bytes_in": len(image),
        "bytes_out": len(response.content),
        "images": 1,
        "caller": None,
    }


def test_refusals_and_failures_have_their_level(lines: Lines, start_gateway: StartGateway) -> None:
    """A refusal is information, a failure of the model server a warning; health is written only where it fails."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    gateway.post("/v1/predict", content=b"text", headers={"X-Request-ID": "refused"})
    gateway.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL"), headers={"X-Request-ID": "failed"})
    gateway.get("/livez", headers={"X-Request-ID": "alive"})
    gateway.get("/nothing/here?secret=1", headers={"X-Request-ID": "last"})
    refused, failed, last = (lines.the_one(request_id=each) for each in ("refused", "failed", "last"))
    assert (refused["level"], refused["outcome"], refused["status"]) == ("info", "not_an_image", 415)
    assert (failed["level"], failed["outcome"], failed["status"]) == ("warning", "model_server_failed", 502)
    assert (last["route"], last["model"]) == ("unmatched", None)
    assert not lines.of_requests(request_id="alive")


def test_probes_that_find_it_not_ready_are_written_once(lines: Lines, start_gateway: StartGateway) -> None:
    """Who waits for readiness fills no log: the first probe that fails is a warning, those after it are not written."""
    gateway = start_gateway(models=("elsewhere",))
    for number in range(3):
        assert gateway.get("/readyz", headers={"X-Request-ID": f"probe-{number}"}).status_code == 503
    gateway.get("/nothing", headers={"X-Request-ID": "last"})
    lines.the_one(request_id="last")
    assert [line["request_id"] for line in lines.of_requests(route="/readyz")] == ["probe-0"]
    assert lines.the_one(request_id="probe-0")["level"] == "warning"


def test_a_caller_that_left_has_no_status(lines: Lines, start_gateway: StartGateway) -> None:
    """A request whose caller leaves before the answer has a line with the outcome client_gone and no status."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    with pytest.raises(httpx.ReadTimeout):
        gateway.post("/v1/predict", content=draw(mark=b"HANG"), timeout=0.2)
    line = lines.the_one(outcome="client_gone")
    assert (line["status"], line["level"], line["bytes_out"]) == (None, "info", 0)


def test_callers_are_named_by_their_public_id(lines: Lines, start_gateway: StartGateway, tmp_path: Path) -> None:
    """Who presents a key is named by its id; keys, headers, file names and query strings stand in no line."""
    keys = Keys(tmp_path / "keys.json")
    key = keys.add()
    gateway = start_gateway(api_keys_file=keys.path)
    wait_until_ready(gateway)
    files = [("file", ("CANARY-name.jpg", draw(mark=b"CANARY-pixels"), "image/jpeg"))] * 2
    gateway.post("/v1/predict?top_k=1&x=CANARY-query", files=files, headers={**bearer(key), "Cookie": "CANARY-cookie"})
    gateway.post("/CANARY-path", headers={"X-API-Key": "CANARY-key"})
    line = lines.the_one(caller=public_id(key))
    assert line["images"] == 2
    assert lines.the_one(outcome="invalid_credentials")["caller"] is None
    assert "CANARY" not in lines.text
    assert key.split("_", 2)[2] not in lines.text  # the secret may have more of them


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_value_begins_a_line(log_format: str) -> None:
    """Control characters in whatever a line holds are escaped in both formats: it stays a line, and paints nothing."""
    stream = io.StringIO()
    settings = settings_for(log_format=log_format)
    observation = observation_of(CONTROL, model=CONTROL, caller=CONTROL, outcome="unknown_model")
    RequestLog(settings, stream).write(observation, CONTROL, 0.1)
    with logging_to(stream, settings):
        logging.getLogger("other").warning("said %s", CONTROL)
        logging.getLogger("other\nname").error("one")
    text = stream.getvalue()
    assert len(text.splitlines()) == 3
    assert not any(ord(each) < 32 or 127 < ord(each) < 160 for each in text.replace("\n", ""))
    assert text.count("{evil}") == 5
    if log_format == "json":
        assert json.loads(text.splitlines()[0])["model"] == CONTROL


@pytest.mark.parametrize("name", ["caf\xe9", "\U0001f33b", "half \ud83c of a pair"])
def test_what_is_not_ascii_is_escaped(name: str) -> None:
    """A line of JSON is ASCII whatever a caller is called, and says the same."""
    stream = io.StringIO()
    RequestLog(settings_for(), stream).write(observation_of(model=name, outcome="unknown_model"), "/", 0.1)
    assert stream.getvalue().isascii()
    assert json.loads(stream.getvalue())["model"] == name


def test_long_names_are_cut() -> None:
    """What callers choose is cut to a length."""
    stream = io.StringIO()
    observation = observation_of(model="m" * 5000, caller="c" * 5000, outcome="unknown_model")
    RequestLog(settings_for(), stream).write(observation, "/", 0.1)
    assert len(stream.getvalue()) < 600


def test_a_share_of_the_answered_is_written() -> None:
    """With log_sample about that share of the requests that are answered as asked is written, whatever others are."""
    stream = io.StringIO()
    log = RequestLog(settings_for(log_sample=0.1, log_sample_others=1), stream)
    for outcome in ("ok", "not_an_image"):
        observation = observation_of(outcome=outcome)
        for _ in range(1000):
            log.write(observation, "/v1/predict", 0.1)
    written = [json.loads(line)["outcome"] for line in stream.getvalue().splitlines()]
    assert written.count("not_an_image") == 1000
    assert 40 < written.count("ok") < 180


@pytest.mark.parametrize(("level", "written"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_the_least_level_is_set(level: str, written: int) -> None:
    """What is below log_level is not written: debug has health, too, warning only what failed."""
    stream = io.StringIO()
    settings = settings_for(log_level=level)
    log = RequestLog(settings, stream)
    for route, status in (("/livez", 200), ("/v1/predict", 200), ("/v1/predict", 503)):
        log.write(observation_of(status=status, outcome="ok" if status == 200 else "overloaded"), route, 0.1)
    assert len(stream.getvalue().splitlines()) == written


def test_the_format_follows_the_stream() -> None:
    """By itself the log is text on a terminal and JSON elsewhere."""
    for stream, is_json in ((io.StringIO(), True), (Terminal(), False)):
        RequestLog(settings_for(), stream).write(observation_of(outcome="ok"), "/", 0.1)
        assert stream.getvalue().startswith("{") == is_json


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_shows_no_values(log_format: str) -> None:
    """An exception is written with its traceback, and without the values of variables: they hold images and keys."""
    stream = io.StringIO()
    with logging_to(stream, settings_for(log_format=log_format)):
        fail_with("CANARY")
    text = stream.getvalue()
    assert "ZeroDivisionError" in text
    assert "fail_with" in text
    assert "CANARY" not in text.replace('fail_with("CANARY")', "")


def fail_with(image: str) -> None:
    """Fail while a variable holds something, and log it."""
    try:
        len(image) // 0
    except ZeroDivisionError:
        logging.getLogger("other").exception("It failed.")


def test_the_process_logs_in_one_shape(model_server: FakeModelServer, tmp_path: Path) -> None:
    """A process writes JSON for requests, its own lines and uvicorn's, naming the request; even at debug no content."""
    with (
        (tmp_path / "log").open("w") as log,
        gateway_process(model_server.address, log, {"GATEWAY_LOG_LEVEL": "debug"}, shutdown_delay_seconds=0) as running,
    ):
        files = [("file", ("CANARY.jpg", draw(mark=b"CANARY"), "image/jpeg"))]
        running.client.post("/v1/predict?x=CANARY", files=files, headers={"Authorization": "Bearer CANARY"})
        running.client.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL"), headers={"X-Request-ID": "mine"})
        running.process.terminate()
        assert running.process.wait(20) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {each.get("logger") for each in lines} >= {"uvicorn.error", "gateway.http.problems", None}
    assert [each["event"] for each in lines if each.get("request_id") == "mine"][-1] == "request"
    assert "gateway.http.problems" in [each.get("logger") for each in lines if each.get("request_id") == "mine"]
    assert all(each["timestamp"] and each["level"] for each in lines)
    assert "CANARY" not in (tmp_path / "log").read_text()


@contextmanager
def logging_to(stream: io.StringIO, settings: Settings) -> Iterator[None]:
    """Have everything logged to a stream until the `with` ends; afterwards everything is as it was."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    set_up_logs(settings, stream)
    try:
        yield
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
