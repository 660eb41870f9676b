"""TensorFlow Serving, where its binary is at hand: our version, its own REST API, our batching parameters."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.serving.systems import System, free_port, running
from graft.actions.bench.protocols import BenchProtocol, RequestForm
from tests.places import ROOT

VARIABLE = "TENSORFLOW_MODEL_SERVER"
NAME = "TensorFlow Serving"
_BATCHING = ROOT / "deploy" / "tensorflow-serving" / "batching_parameters.txt"


def missing(binary: str) -> str:
    """Return why it cannot be measured; empty if it can."""
    if not binary:
        return f"{NAME} is left out: {VARIABLE} names no binary of it."
    return "" if shutil.which(binary) else f"{NAME} is left out: {VARIABLE} names {binary}, which cannot be run."


def started(binary: str, base_path: Path, image: bytes, log: Path) -> AbstractContextManager[System]:
    """Serve the newest version of a model until the context ends, with oneDNN on, as our commands have it."""
    port = free_port()  # it takes no 0
    command = [
        binary,
        f"--port={free_port()}",
        f"--rest_api_port={port}",
        f"--model_name={base_path.name}",
        f"--model_base_path={base_path.resolve()}",
        "--enable_batching=true",
        f"--batching_parameters_file={_BATCHING}",
    ]
    form = RequestForm(BenchProtocol.TENSORFLOW, base_path.name)
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1"}
    return running(NAME, command, port, image, log, form=form, environment=environment)
