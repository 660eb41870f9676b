"""Outages of gateways: one that cannot reach the model server, certificates near their end, a full disk for the log."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.outages.broken.certificate import write_certificate
from benchmarks.outages.scenario import Outage
from benchmarks.outages.service import started_service, with_traffic
from benchmarks.outages.stage import Stage
from benchmarks.serving.systems import SystemFailedError, free_port

_DISK_BYTES = 2**20
_YEAR_DAYS = 365.0


def blind(stage: Stage) -> Outage:
    """Restart one of two gateways with the address of a model server where nothing listens.

    Callers come through a load balancer that asks /readyz: they reach the other one.
    """
    service = started_service(stage)
    outage = with_traffic(stage, service, urls=service.urls[:1])
    second = service.gateways[1]

    def break_it() -> None:
        second.end()
        second.begin(f"--model-server=127.0.0.1:{free_port()}")
        second.wait(second.lives)

    outage.break_it, outage.repair = break_it, second.restart
    return outage


def certificate(days: float) -> Callable[[Stage], Outage]:
    """Return the beginning of an outage: a gateway that is restarted with a certificate of so many days."""

    def begin(stage: Stage) -> Outage:
        paths = stage.folder / "good", stage.folder / "old"
        good, old = (write_certificate(path, left) for path, left in zip(paths, (_YEAR_DAYS, days), strict=True))
        service = started_service(stage, arguments=good, tls=True)
        trusted = stage.folder / "trusted.pem"
        trusted.write_bytes(b"".join(path.with_suffix(".pem").read_bytes() for path in paths))
        outage = with_traffic(stage, service, tls=True, probe_arguments=[f"--ca={trusted}"])
        outage.facts = {**outage.facts, "the certificate": "tls_certificate"}
        second = service.gateways[1]  # the probe and half of the callers reach the other one meanwhile
        outage.break_it, outage.repair = lambda: second.restart(*old), lambda: second.restart(*good)
        return outage

    return begin


def disk_full(stage: Stage) -> Outage:
    """Fill the disk that the gateways and the model server log to; the repair makes room.

    Raises:
        SystemFailedError: a disk of its own cannot be mounted.
    """
    disk = stage.stack.enter_context(_disk(stage.folder / "disk"))
    service = started_service(stage, logs=disk)
    outage = with_traffic(stage, service)
    filler = disk / "filler"
    outage.break_it, outage.repair = lambda: _fill(filler), filler.unlink
    return outage


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=755", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise SystemFailedError("A disk of its own cannot be mounted here, which needs root; leave `disk` out.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(filler: Path) -> None:
    found = os.statvfs(filler.parent)
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize))
