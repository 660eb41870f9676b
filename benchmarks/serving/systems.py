"""What `bench_serving` compares, as processes: `graft up`, a service as in tutorials, an engine in a loop."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from graft.actions.bench.protocols import RequestForm
from graft.actions.bench.target import target_of
from graft.traffic.clients import OK
from graft.traffic.connection import Endpoint, KeptConnection
from graft.traffic.process_tree import ProcessTree

_CALL_AGAIN_SECONDS = 0.05
_START_SECONDS, _STOP_SECONDS, _PATIENCE_SECONDS = 180, 30, 60


class SystemFailedError(Exception):
    """A process that is measured ended, or did not start; the message says which, with the end of its log."""


@dataclass(frozen=True)
class System:
    """A service with an HTTP API. `start_seconds` is the time from its command to its first response."""

    name: str
    path: str
    port: int
    tree: ProcessTree
    log: Path
    start_seconds: float
    form: RequestForm | None = None
    """The protocol of one that takes no image as its body."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return Endpoint(self.port)

    def requests(self, images: Sequence[bytes]) -> list[bytes]:
        """Return whole requests with images."""
        return [request_of(self.form, self.path, image, self.port) for image in images]

    def responses(self, images: Sequence[bytes]) -> list[bytes]:
        """Return the bodies of the responses for images."""

        async def send() -> list[bytes]:
            connection = await KeptConnection(self.endpoint).open()
            bodies = []
            for request in self.requests(images):
                await connection.send(request)
                bodies.append(connection.body)
            connection.close()
            return bodies

        return asyncio.run(send())


def request_of(form: RequestForm | None, path: str, image: bytes, port: int) -> bytes:
    """Return a whole request in a protocol, or with the image as its body."""
    if form is None:
        return request_bytes(path, image, port)
    return target_of(f"http://127.0.0.1:{port}", form, None, None, _PATIENCE_SECONDS).request(image)


def request_bytes(path: str, body: bytes, port: int) -> bytes:
    """Return a whole POST request with an image as its body."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: image/jpeg\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def started_graft(
    models: Path, name: str, flags: Sequence[str], image: bytes, log: Path
) -> "contextlib.AbstractContextManager[System]":
    """Run `graft up` until the context ends; it has responded once."""
    command = ["graft", "up", "--models", str(models), "--name", name, *flags, "--port"]
    return started("graft up", "/v1/predict", command, image, log)


def started_tutorial(
    folder: Path, flags: Sequence[str], image: bytes, log: Path
) -> "contextlib.AbstractContextManager[System]":
    """Run the service as in tutorials until the context ends; it has responded once."""
    command = ["benchmarks.serving.tutorial_service", *flags, str(folder)]
    return started("tutorial", "/predict", command, image, log)


@contextlib.contextmanager
def started(name: str, path: str, module: Sequence[str], image: bytes, log: Path) -> Generator[System]:
    """Run a Python module that serves on the port given last until the context ends; it has responded once.

    Raises:
        SystemFailedError: it ended before that.
    """
    port = free_port()
    with running(name, [sys.executable, "-m", *module, str(port)], port, image, log, path=path) as system:
        yield system


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    image: bytes,
    log: Path,
    *,
    path: str = "",
    form: RequestForm | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[System]:
    """Run a command that serves on a port until the context ends; it has responded once.

    Raises:
        SystemFailedError: it ended before that.
    """
    with log.open("wb") as output:
        began = time.perf_counter()
        variables = None if environment is None else {**os.environ, **environment}
        with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=variables) as process:
            try:
                asyncio.run(first_response(process, request_of(form, path, image, port), port, log))
                seconds = time.perf_counter() - began
                yield System(name, path, port, ProcessTree(process.pid), log, seconds, form)
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
                if process.poll() is None:
                    process.kill()


async def first_response(process: "subprocess.Popen[bytes]", request: bytes, port: int, log: Path) -> None:
    """Send requests until the response is 200.

    Raises:
        SystemFailedError: the process ended before, or took minutes.
    """
    connection = KeptConnection(Endpoint(port))
    end = time.perf_counter() + _START_SECONDS
    while await connection.send(request) != OK:
        if process.poll() is not None or time.perf_counter() > end:
            raise SystemFailedError(f"A service on port {port} did not start: {_end_of(log)}")
        await asyncio.sleep(_CALL_AGAIN_SECONDS)
    connection.close()


def _end_of(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").splitlines()[-3:])


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Called:
    """What an engine did in a loop: images a second, processor and median seconds of one call."""

    images_per_second: float
    cpu_seconds: float
    median_seconds: float


class EngineLoop:
    """An engine that is called in a loop in a process of its own; `missing` says why it is not, else is empty."""

    def __init__(self, name: str, orders: IO[str], responses: IO[str], log: Path) -> None:
        self.name = name
        self._orders, self._responses, self._log = orders, responses, log
        first = responses.readline().strip()
        self.missing = "" if first == "ready" else first or f"The {name} engine's process ended: {_end_of(log)}"

    def call(self, signature: str, rows: int, threads: int, seconds: float) -> Called | None:
        """Call a signature with so many images at a time from so many threads; None if the version lacks it.

        Raises:
            SystemFailedError: the process ended.
        """
        self._orders.write(f"{signature} {rows} {threads} {seconds}\n")
        self._orders.flush()
        line = self._responses.readline()
        if not line:
            raise SystemFailedError(f"The loop of the {self.name} engine ended: {_end_of(self._log)}")
        if (took := json.loads(line)) is None:
            return None
        images = rows * took["calls"]
        return Called(images / took["seconds"], took["cpu"] / images, took["median"])


@contextlib.contextmanager
def started_loop(engine: str, version: Path, images: Sequence[Path], log: Path) -> Generator[EngineLoop]:
    """Run the loop's process until the context ends."""
    command = [sys.executable, "-m", "benchmarks.engines.engine_loop", engine, str(version), *map(str, images)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield EngineLoop(engine, process.stdin, process.stdout, log)
        finally:
            process.terminate()
