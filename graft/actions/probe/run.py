"""Probe once, or at an interval until a signal comes, with a line of JSON for each probe and metrics on a port."""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from prometheus_client import start_http_server

from contract.plain_text import plain_text
from graft.actions.probe.expected import ExpectedPredictions, NoProbeFixtureError, newest_fixture
from graft.actions.probe.failure import ProbeFailedError
from graft.actions.probe.image import drawn_image
from graft.actions.probe.metrics import ProbeMetrics
from graft.actions.probe.sending import ProbeTarget, send_image
from graft.errors import CommandError

DEFAULT_MODEL = "default"
"""What metrics call the model of a probe that names none."""


@dataclass(frozen=True)
class ProbeSettings:
    """What `graft probe` was asked for; without models, the gateway's default one is probed."""

    target: ProbeTarget
    models: list[str] = field(default_factory=list)
    image: Path | None = None
    folder: Path | None = None
    expect_label: str | None = None
    tolerance: float = 0.01
    interval_seconds: float = 60.0
    host: str = "127.0.0.1"
    port: int = 9105


class Prober:
    """Probes one or more models of a gateway; what a version predicted first is kept between probes."""

    def __init__(self, settings: ProbeSettings, log: TextIO) -> None:
        self._settings = settings
        self._log = log
        self._image = drawn_image() if settings.image is None else _content(settings.image)
        self._models = settings.models or [DEFAULT_MODEL]
        self._expected = {
            model: ExpectedPredictions(settings.tolerance, settings.expect_label) for model in self._models
        }
        self.metrics = ProbeMetrics(self._models)

    async def probe(self) -> bool:
        """Probe every model at the same time; return whether all were predicted as expected."""
        return all(await asyncio.gather(*(self._probe(model) for model in self._models)))

    async def _probe(self, model: str) -> bool:
        began = time.perf_counter()
        said: dict[str, str | float] = {}
        failure = None
        try:
            said = await self._predicted(model)
        except ProbeFailedError as error:
            failure = error
        seconds = time.perf_counter() - began
        self.metrics.note(model, failure.reason if failure else None, seconds, time.time())
        self._write(model, seconds, said, failure)
        return failure is None

    async def _predicted(self, model: str) -> dict[str, str | float]:
        """Return what the log says of a prediction that is as expected."""
        settings = self._settings
        fixture, note = None, None
        if settings.folder is not None:
            try:
                fixture = newest_fixture(settings.folder / model)
            except NoProbeFixtureError as error:
                note = f"{error} The drawn image was sent instead."
        image = fixture.image if fixture else self._image
        found = await send_image(settings.target, model if settings.models else None, image)
        compared = self._expected[model].check(found, image, fixture)
        return {
            "version": found.version,
            "label": found.label,
            "probability": max(found.top.values(), default=0.0),
            "compared_with": compared,
            **({"note": note} if note else {}),
        }

    def _write(
        self, model: str, seconds: float, said: dict[str, str | float], failure: ProbeFailedError | None
    ) -> None:
        event = {
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "level": "error" if failure else "info",
            "event": "probe",
            "url": self._settings.target.address,
            "model": model,
            "outcome": failure.reason if failure else "ok",
            "duration_ms": round(seconds * 1000, 2),
            **({"detail": str(failure)} if failure else said),
        }
        self._log.write(json.dumps(event) + "\n")
        self._log.flush()


def probe_once(settings: ProbeSettings) -> bool:
    """Probe every model once, and return whether all were predicted as expected."""
    return asyncio.run(Prober(settings, sys.stdout).probe())


def probe_until_stopped(settings: ProbeSettings) -> None:
    """Probe at the interval, with metrics on the port, until SIGINT or SIGTERM.

    Raises:
        CommandError: the port cannot be used, or the image cannot be read.
    """
    prober = Prober(settings, sys.stdout)
    try:
        server, thread = start_http_server(settings.port, settings.host, registry=prober.metrics.registry)
    except OSError as error:
        raise CommandError(
            f"Metrics cannot be shown at {settings.host}:{settings.port} ({error.strerror or error}); "
            "give another --port, or --host."
        ) from error
    print(plain_text(f"Metrics are at http://{settings.host}:{server.server_port}/metrics"), file=sys.stderr)  # noqa: T201
    try:
        asyncio.run(_probe_again_and_again(prober, settings.interval_seconds))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def _probe_again_and_again(prober: Prober, interval_seconds: float) -> None:
    """Begin a probe at each multiple of the interval; one that takes longer leaves out those that it covers."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    began = loop.time()
    try:
        while True:
            await prober.probe()
            await asyncio.sleep(interval_seconds - (loop.time() - began) % interval_seconds)
    except asyncio.CancelledError:
        return  # by a signal: nothing else has this task


def _content(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise CommandError(f"The image {image} cannot be read: {error.strerror}.") from error
