"""A gateway under load before a model server that fails now and then, and the metrics page of a model server."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from contract import serving_messages as messages
from modelserver.errors import BadInputError
from modelserver.grpc.metrics_port import metrics_port
from modelserver.metrics import ModelServerMetrics
from tests.fakes.made_up_predictions import LABELS, manifest_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.drift.references import image_of, reference_of
from tests.gateway.protocol_requests import PROTOCOLS, send
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys, bearer

METRICS_PATH = "/monitoring/prometheus/metrics"

_SETTINGS = {
    "models": ("flowers", "trees"),
    "poll_interval_seconds": 0.2,
    "max_in_flight": 4,
    "max_queued": 1,
    "circuit_failures": 3,
    "circuit_open_seconds": 0.5,
    "drift_least_images": 50,
}


@dataclass(frozen=True)
class FaultyService:
    """Where the two metrics pages are, and a key for the gateway's."""

    gateway: str
    model_server: str
    key: str


@contextmanager
def faulty_service(folder: Path) -> Iterator[FaultyService]:
    """Run it until the `with` ends.

    Faults: calls for `flowers` fail or are late now and then, the model server never answers for `trees` in time,
    bursts are shed, version 2 of `flowers` does not finish loading, and the images are darker than those of the
    reference. A key ends tomorrow, as it is meant to.
    """
    keys = Keys(folder / "keys.json")
    operate = keys.add("operate")
    predict = keys.add("predict", expires=datetime.now(UTC) + timedelta(days=1))
    with ExitStack() as stack:
        server = stack.enter_context(_model_server())
        settings = {**_SETTINGS, "model_server": server.address, "api_keys_file": keys.path}
        gateway = stack.enter_context(running_gateway(False, **settings))
        gateway.headers.update(bearer(predict))
        metrics = ModelServerMetrics(lambda name: name == "flowers")
        port = stack.enter_context(metrics_port("127.0.0.1", 0, METRICS_PATH, metrics.page))
        for load in (_requests, _bursts, _calls_for_trees):
            stack.enter_context(_again_and_again(load, gateway))
        stack.enter_context(_again_and_again(_model_server_work, metrics))
        yield FaultyService(gateway.base_url.netloc.decode(), f"127.0.0.1:{port}", operate)


@contextmanager
def _model_server() -> Iterator[FakeModelServer]:
    server = FakeModelServer()
    bright = [
        image_of(LABELS[number % 3], 0.4 + 0.55 * number / 300, 2000 * (number + 1), 0.6 + 0.3 * number / 300)
        for number in range(300)
    ]
    manifest = manifest_for("flowers", 1).model_copy(update={"reference": reference_of(bright, LABELS)})
    server.publish("flowers", 1, manifest=manifest.to_json().encode())
    server.publish("flowers", 2, state="LOADING")
    server.publish("trees", 1)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _again_and_again(load: Callable[[Any, int], None], what: Any) -> Iterator[None]:
    """Call `load` with `what` and a number that rises, in a thread, until the `with` ends."""
    ending = threading.Event()

    def run() -> None:
        number = 0
        while not ending.wait(0.1):
            number += 1
            load(what, number)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            yield
        finally:
            ending.set()
            running.result()


def _requests(gateway: httpx.Client, number: int) -> None:
    for protocol in PROTOCOLS:
        send(gateway, marked_image(f"BRIGHTNESS:0.{number % 5}", number), protocol)
    send(gateway, marked_image("STATUS:INTERNAL", number))
    send(gateway, marked_image("FIRST:1:UNAVAILABLE", number))
    send(gateway, b"no image")
    gateway.post("/v1/predict", files=[("file", marked_image("BRIGHTNESS:0.2", number + each)) for each in range(16)])
    gateway.get("/v1/models")


def _bursts(gateway: httpx.Client, number: int) -> None:
    with ThreadPoolExecutor(12) as callers:
        list(callers.map(lambda each: send(gateway, marked_image("SLEEP:0.7", 12 * number + each)), range(12)))


def _calls_for_trees(gateway: httpx.Client, number: int) -> None:
    gateway.post("/v1/predict?model=trees", content=marked_image("STATUS:DEADLINE_EXCEEDED", number))


def _model_server_work(metrics: ModelServerMetrics, number: int) -> None:
    request = messages.PredictRequest(model_spec={"name": "flowers"})
    asyncio.run(_call_model_server(metrics, request))
    folder = Path("/models/flowers/1")
    metrics.count_run(0.02)
    if number == 1:
        metrics.count_load(folder, 0.5, ok=True)
        metrics.count_load(Path("/models/flowers/2"), 0.5, ok=False)
        metrics.count_warmup(folder, 0.1, ok=True)


async def _call_model_server(metrics: ModelServerMetrics, request: Any) -> None:
    async def respond(_: Any) -> Any:
        return messages.PredictResponse(model_spec={"name": "flowers", "version": {"value": 1}})

    async def refuse(_: Any) -> Any:
        raise BadInputError("no image")

    await metrics.counted("Predict", respond)(request)
    try:
        await metrics.counted("Predict", refuse)(request)
    except BadInputError:
        return
