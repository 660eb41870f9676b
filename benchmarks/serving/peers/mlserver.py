"""MLServer in one process, in an environment of its own: the tutorials' SavedModel by the Open Inference Protocol."""

import json
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.systems import System, free_port, running
from benchmarks.serving.version import PreparationError
from graft.actions.bench.protocols import BenchProtocol, RequestForm
from tests.places import ROOT

VARIABLE = "MLSERVER_PYTHON"
NAME = "MLServer"
RELEASE = "1.7.1"
_MODEL = "images"
_ROWS, _WAIT_SECONDS = 8, 0.005
_RUNTIME = ROOT / "benchmarks" / "serving" / "peers" / "runtime" / "saved_model_runtime.py"


def missing(python: str, *, wanted: bool) -> str:
    """Return why it is not measured; empty if it is."""
    if python:
        return "" if shutil.which(python) else f"{NAME} is left out: {VARIABLE} names {python}, which cannot be run."
    if wanted:
        return ""
    return (
        f"{NAME} is left out: --with mlserver installs it and TensorFlow into a folder of their own, or {VARIABLE} "
        "names a Python that has both."
    )


def installed(folder: Path) -> str:
    """Return a Python that has MLServer and our TensorFlow, made in `folder` the first time.

    Raises:
        PreparationError: it cannot be made.
    """
    place = (folder / "mlserver-environment").resolve()
    python, ready = place / "bin" / "python", place / ".ready"
    if not ready.exists():
        _must([sys.executable, "-m", "venv", "--clear", str(place)])
        needed = [f"mlserver=={RELEASE}", f"tensorflow-cpu=={version('tensorflow-cpu')}"]
        _must([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needed])
        ready.touch()
    return str(python)


def started(python: str, saved_model: Path, folder: Path, image: bytes, log: Path) -> AbstractContextManager[System]:
    """Serve a SavedModel until the context ends: no worker processes, batches of eight, no log of requests."""
    port = free_port()
    place = folder / "mlserver"
    (place / _MODEL).mkdir(parents=True, exist_ok=True)
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
    }
    model = {
        "name": _MODEL,
        "implementation": f"{_RUNTIME.stem}.SavedModelRuntime",
        "parameters": {"uri": str(saved_model.resolve())},
        "max_batch_size": _ROWS,
        "max_batch_time": _WAIT_SECONDS,
    }
    (place / "settings.json").write_text(json.dumps(server))
    (place / _MODEL / "model-settings.json").write_text(json.dumps(model))
    command = [python, "-m", "mlserver.cli.main", "start", str(place)]
    form = RequestForm(BenchProtocol.OPEN_INFERENCE, _MODEL)
    environment = {
        "PYTHONPATH": str(_RUNTIME.parent),
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    return running(NAME, command, port, image, log, form=form, environment=environment)


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).splitlines()[-3:])
        raise PreparationError(f"{NAME} cannot be installed: {said}")
