"""With `log_format` json every line that a process writes is JSON: its start, its failures, warnings and tracebacks."""

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import httpx
import pytest

from gateway.observability.process_logs import process_logs
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import gateway_process
from tests.gateway.images import draw
from tests.gateway.running import settings_for
from tests.gateway.security.certificates import Authority
from tests.gateway.waiting import wait_until
from tests.places import ROOT

FAILING = """
import sys, threading, warnings
from gateway.observability.process_logs import process_logs
from gateway.settings import Settings

class Broken:
    def __del__(self):
        raise OSError("in a finalizer")

def fail():
    raise ValueError("in a thread")

with process_logs(Settings(models=("flowers",), log_format="json")):
    warnings.warn("something is old", stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    broken = Broken()
    del broken
    raise KeyError("at the end")
"""


def test_warnings_and_tracebacks_are_lines() -> None:
    """A warning, and exceptions of a thread, a finalizer and the process are one line of JSON each; it ends with 1."""
    done = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert ["something is old" in lines[0]["event"], *("exception" in line for line in lines[1:])] == [True] * 4
    said = ("in a thread", "in a finalizer", "at the end")
    assert [words in line["exception"] for words, line in zip(said, lines[1:], strict=True)] == [True] * 3
    assert [line["level"] for line in lines] == ["warning", "critical", "critical", "critical"]
    assert done.stdout == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_output_and_log_are_json(model_server: FakeModelServer, tmp_path: Path, workers: int) -> None:
    """What a gateway says at its start and after failures is JSON, on both outputs, with one process and several."""
    environment = {"GATEWAY_LOG_FORMAT": "json", "GATEWAY_LOG_LEVEL": "debug"}
    with (
        (tmp_path / "log").open("w") as log,
        gateway_process(model_server.address, log, environment, workers=workers, shutdown_delay_seconds=0) as running,
    ):
        running.client.post("/v1/predict", content=draw(mark=b"STATUS:INTERNAL"))
        running.process.terminate()
        assert running.process.wait(20) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"gateway.http.problems", "uvicorn.error"} <= {line.get("logger") for line in lines}
    assert all(line["event"] and line["level"] and line["timestamp"] for line in lines)


def test_a_broken_connection_to_the_model_server_writes_json(model_server: FakeModelServer, tmp_path: Path) -> None:
    """What gRPC's core has to say of a handshake that fails again and again is not in the way of who reads JSON."""
    Authority(tmp_path)
    variables = {
        "GATEWAY_LOG_FORMAT": "json",
        "GATEWAY_LOG_LEVEL": "debug",
        "GATEWAY_POLL_INTERVAL_SECONDS": "0.1",
        "GATEWAY_MODEL_SERVER": model_server.address,
        "GATEWAY_MODEL_SERVER_CA": str(next(tmp_path.glob("*.pem"))),
    }
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0"]
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            lines = [json.loads(process.stdout.readline())]
            while not lines[-1]["event"].startswith("Gateway listening on http://"):
                lines.append(json.loads(process.stdout.readline()))
            ready = f"{lines[-1]['event'].split()[-1]}/readyz"
            wait_until(lambda: "not available" in httpx.get(ready, trust_env=False).text)
            process.terminate()
            lines += [json.loads(line) for line in process.stdout]
        finally:
            process.kill()
    assert process.returncode == 0
    assert "/readyz" in {line.get("route") for line in lines}


def test_a_wrong_setting_is_a_line() -> None:
    """A setting with which it cannot start is one line of JSON, with the sentence that there was before."""
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--host", "0.0.0.0"]
    environment = {**os.environ, "GATEWAY_LOG_FORMAT": "json"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 2
    line = json.loads(done.stderr)
    assert line["event"].startswith("Anyone who can reach 0.0.0.0 could send requests")
    assert line["level"] == "error"


def test_afterwards_everything_is_as_it_was() -> None:
    """What the process had set for warnings and threads is there again once it no longer serves."""
    before = threading.excepthook, sys.unraisablehook, warnings.showwarning
    with process_logs(settings_for(log_format="json")):
        assert threading.excepthook != before[0]
    assert (threading.excepthook, sys.unraisablehook, warnings.showwarning) == before
