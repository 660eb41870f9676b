"""Outages of the model server: killed, hung, slow, and a version that it cannot load."""

import shutil
import signal
import threading
from pathlib import Path

from benchmarks.outages.processes import ModelServer
from benchmarks.outages.scenario import Outage
from benchmarks.outages.service import started_service, with_traffic
from benchmarks.outages.stage import Stage

_STOPPED_SECONDS, _RUNNING_SECONDS = 2.4, 0.7
"""A slow model server runs for less than a quarter of the time: most requests wait for more than 0.6 s."""


def nothing(stage: Stage) -> Outage:
    """Break nothing."""
    return with_traffic(stage, started_service(stage))


def killed(stage: Stage) -> Outage:
    """Kill the model server with SIGKILL; the repair starts it again."""
    service = started_service(stage)
    outage = with_traffic(stage, service)
    outage.break_it, outage.repair = service.model_server.kill, service.model_server.start
    return outage


def hung(stage: Stage) -> Outage:
    """Stop the model server with SIGSTOP: its ports stay open, and nothing comes back; the repair lets it run."""
    service = started_service(stage)
    outage = with_traffic(stage, service)
    outage.break_it = lambda: service.model_server.send(signal.SIGSTOP)
    outage.repair = lambda: service.model_server.send(signal.SIGCONT)
    return outage


def slow(stage: Stage) -> Outage:
    """Let the model server run for less than a quarter of the time, as on a machine with other work."""
    service = started_service(stage)
    outage = with_traffic(stage, service)
    slowing = _Slowing(service.model_server)
    stage.stack.callback(slowing.end)
    outage.break_it, outage.repair = slowing.begin, slowing.end
    return outage


def broken_version(stage: Stage) -> Outage:
    """Publish half a copy of the version as the newest; the repair takes it away, as `graft withdraw` does."""
    service = started_service(stage)
    outage = with_traffic(stage, service)
    outage.facts = {**outage.facts, "the version": "2"}
    broken = service.base_path / "2"
    outage.break_it = lambda: _publish_half_of(service.base_path / "1", broken)
    outage.repair = lambda: broken.rename(stage.folder / "withdrawn")
    return outage


def _publish_half_of(version: Path, broken: Path) -> None:
    """Copy a version with half of its graphs, under another name until all is there."""
    unfinished = broken.with_name(f".unfinished-{broken.name}")
    shutil.copytree(version, unfinished)
    for name in ("saved_model.pb", "assets.extra/network.tflite"):
        path = unfinished / name
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    unfinished.rename(broken)


class _Slowing:
    """Stops a process again and again, from `begin` to `end`, which can be called twice."""

    def __init__(self, process: ModelServer) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slowing")

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self._process.send(signal.SIGSTOP)
            self._over.wait(_STOPPED_SECONDS)
            self._process.send(signal.SIGCONT)
            self._over.wait(_RUNNING_SECONDS)
