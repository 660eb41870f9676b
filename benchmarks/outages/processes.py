"""Processes of `graft` that can be killed, stopped, and started again with the same command or another."""

import contextlib
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.serving.systems import SystemFailedError, free_port

_START_SECONDS, _STOP_SECONDS = 180.0, 20.0
_LOOK_AGAIN_SECONDS = 0.1
_PROBED = re.compile(r"^graft_probe_success\{.*\} 1\.0$", re.MULTILINE)


class GraftProcess:
    """One `graft VERB ...` on a port of its own, whose log goes to a file. It is ready when `is_ready` says so."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Return whether it serves."""
        raise NotImplementedError

    def start(self, *more: str) -> None:
        """Start it, with more arguments than its own, and return when it is ready.

        Raises:
            SystemFailedError: it ended before that, or took minutes.
        """
        self.begin(*more)
        self.wait(self.is_ready)

    def begin(self, *more: str) -> None:
        """Start it, and return at once."""
        command = [sys.executable, "-m", "graft", *self._arguments, f"--port={self.port}", *more]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait until it is so far.

        Raises:
            SystemFailedError: it ended before that, or took minutes.
        """
        assert self._process is not None
        end = time.monotonic() + _START_SECONDS
        while not until():
            if self._process.poll() is not None or time.monotonic() > end:
                text = " ".join(self.log.read_text(errors="replace").splitlines()[-3:])
                raise SystemFailedError(f"`graft {self._arguments[0]}` did not start: {text}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def restart(self, *more: str) -> None:
        """End it as an operator does, and start it with these further arguments."""
        self.end()
        self.start(*more)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it at once, and return when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Ask it to end, also one that is stopped; kill it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()


class ModelServer(GraftProcess):
    """`graft modelserver` with LiteRT and with metrics, for one model."""

    def __init__(self, name: str, base_path: Path, monitoring: Path, log: Path) -> None:
        self.metrics_port = free_port()
        flags = {
            "model_name": name,
            "model_base_path": base_path,
            "engine": "litert",
            "enable_batching": "true",
            "monitoring_config_file": monitoring,
            "rest_api_port": self.metrics_port,
        }
        super().__init__(["modelserver", *(f"--{flag}={value}" for flag, value in flags.items())], log)

    def is_ready(self) -> bool:
        """Return whether gRPC's health service says that the model is served."""
        with grpc.insecure_channel(self.address) as channel, contextlib.suppress(grpc.RpcError):
            found = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            return bool(found.status == health_pb2.HealthCheckResponse.SERVING)
        return False


class Gateway(GraftProcess):
    """`graft gateway` for one model, with settings of its own."""

    def __init__(self, name: str, model_server: str, log: Path, *, tls: bool, settings: Sequence[str]) -> None:
        self._scheme = "https" if tls else "http"
        given = [word for setting in settings for word in ("--set", setting)]
        super().__init__(["gateway", f"--model={name}", f"--model-server={model_server}", *given], log)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"{self._scheme}://{self.address}"

    def is_ready(self) -> bool:
        """Return whether /readyz is 200."""
        return self._says_yes("readyz")

    def lives(self) -> bool:
        """Return whether /livez is 200."""
        return self._says_yes("livez")

    def _says_yes(self, path: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/{path}", verify=unverified(), trust_env=False).is_success
        return False


class Probe(GraftProcess):
    """`graft probe` of one model, with further arguments; ready once a probe has succeeded."""

    def __init__(self, name: str, url: str, log: Path, arguments: Sequence[str]) -> None:
        super().__init__(["probe", url, f"--model={name}", *arguments], log)

    def is_ready(self) -> bool:
        """Return whether the last probe succeeded."""
        with contextlib.suppress(httpx.TransportError):
            page = httpx.get(f"http://{self.address}/metrics", trust_env=False).text
            return bool(_PROBED.search(page))
        return False


def unverified() -> ssl.SSLContext:
    """Return a context that trusts any certificate: those of this command are made by itself, a moment ago."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
