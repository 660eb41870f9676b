"""The real TensorFlow Serving, where its binary is at hand."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.systems import free_port

_STOP_SECONDS = 30


@dataclass(frozen=True)
class RealServer:
    """A running TensorFlow Serving; `address` is HOST:PORT of its gRPC API."""

    address: str
    pid: int


@contextlib.contextmanager
def tensorflow_serving(binary: str, name: str, base_path: Path, *flags: str) -> Iterator[RealServer]:
    """Serve a model with defaults, but for the flags given, until the `with` ends."""
    port = free_port()  # it takes no 0, and it has no flag for the address that it listens on
    command = [binary, f"--port={port}", f"--model_name={name}", f"--model_base_path={base_path}", *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield RealServer(f"127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            if process.poll() is None:
                process.kill()
