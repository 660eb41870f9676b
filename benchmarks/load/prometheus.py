"""A Prometheus as a process, on a port of its own."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

_LISTENING = re.compile(r'msg="Listening on" address=(\S+)')
_START_SECONDS, _STOP_SECONDS = 60.0, 10.0
_LOOK_AGAIN_SECONDS = 0.05


class PrometheusError(Exception):
    """Prometheus is not installed, or did not start; the message says why."""


def check_installed() -> None:
    """Raise PrometheusError if Prometheus or its promtool is not installed."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            raise PrometheusError(f"{program} is not installed (apt-get install prometheus).")


@contextlib.contextmanager
def started_prometheus(
    folder: Path, configuration: dict[str, Any], flags: Sequence[str] = ()
) -> Iterator[httpx.Client]:
    """Run Prometheus in `folder` until the `with` ends, and yield a client of it once it is ready.

    Raises:
        PrometheusError: it is not installed, or it ended.
    """
    check_installed()
    path, log = folder / "prometheus.yml", folder / "log"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}", *flags]
    with log.open("w") as stderr, _running([*command, "--web.listen-address=127.0.0.1:0"], stderr) as process:
        address = _address(process, log)
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client:
            _wait_until_ready(client, process, log)
            yield client


@contextlib.contextmanager
def _running(command: Sequence[str], stderr: Any) -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(command, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            process.kill()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := _LISTENING.search(log.read_text()):
            return found[1]
        time.sleep(_LOOK_AGAIN_SECONDS)
    raise _not_started(log)


def _wait_until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/-/ready").status_code == httpx.codes.OK:
                return
        time.sleep(_LOOK_AGAIN_SECONDS)
    raise _not_started(log)


def _not_started(log: Path) -> PrometheusError:
    return PrometheusError(f"Prometheus did not start: {' '.join(log.read_text().splitlines()[-2:])}")
