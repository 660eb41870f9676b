"""One caller sends everything that is known to cost others something; `make attack` in its short form."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command import START_SECONDS, started
from tests.end_to_end.conftest import Trained
from tests.end_to_end.tensorflow_serving import tensorflow_serving
from tests.gateway.waiting import wait_until
from tests.places import ROOT

TENSORFLOW_SERVING = os.environ.get("TENSORFLOW_MODEL_SERVER")
GATEWAY = r"Gateway listening on (http://[\d.]+:\d+)"


def attack(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the attacks as the Makefile does, in the short form."""
    command = [sys.executable, "-m", "benchmarks.attack", "--short", "--seconds", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT)


# a minute and a half each; it is the only test of the whole way with every attack
@pytest.mark.parametrize(
    ("engine", "batching"),
    [
        ("litert", True),
        pytest.param("litert", False, marks=pytest.mark.slow),
        pytest.param("tensorflow", True, marks=pytest.mark.slow),
        pytest.param("tensorflow", False, marks=pytest.mark.slow),
    ],
)
def test_no_attack_costs_others_anything(colours: Trained, engine: str, *, batching: bool) -> None:
    """No attack exceeds its bound of processor time and memory, gets another response, or loses a good request."""
    flags = [] if batching else ["--no-batching"]
    done = attack("--models", colours.models, "--name", colours.name, "--engine", engine, *flags)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not TENSORFLOW_SERVING, reason="TENSORFLOW_MODEL_SERVER names no TensorFlow Serving binary")
@pytest.mark.slow  # as long as the others
@pytest.mark.parametrize("flags", [(), ("--enable_batching",)])
def test_the_real_tensorflow_serving_behind_the_gateway(colours: Trained, flags: tuple[str, ...]) -> None:
    """The same through TensorFlow Serving, which only the gateway reaches."""
    base_path = colours.models / colours.name
    with tensorflow_serving(str(TENSORFLOW_SERVING), colours.name, base_path, *flags) as server:
        front = ("--model", colours.name, "--model-server", server.address, "--port", "0")
        with started("gateway", *front, announces=GATEWAY) as gateway, gateway.client() as client:
            wait_until(lambda: client.get("/readyz").status_code == 200, START_SECONDS)
            pids = (str(gateway.process.pid), str(server.pid))
            done = attack("--url", gateway.url, "--name", colours.name, "--pid", *pids)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_service_that_is_not_there_is_one_sentence() -> None:
    """An address that is none ends with exit code 2 and one sentence."""
    done = attack("--url", "ftp://127.0.0.1")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["--url must look like http://HOST:PORT, not ftp://127.0.0.1."]
