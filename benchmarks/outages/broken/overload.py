"""Three times as many requests as can be served, at random times, whether or not others have completed."""

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

from benchmarks.outages.scenario import Outage
from benchmarks.outages.service import started_service, with_traffic
from benchmarks.outages.stage import Stage
from benchmarks.serving.systems import request_bytes
from graft.traffic.clients import closed_loop
from graft.traffic.connection import Endpoint, KeptConnection

_TIMES = 3
_AT_CAPACITY, _CAPACITY_SECONDS = 8, 4.0
_SEED = 2


def overload(stage: Stage) -> Outage:
    """Measure what one gateway and its model server can serve, then send three times as much until the repair."""
    service = started_service(stage, gateways=1)
    port = service.gateways[0].port
    requests = itertools.cycle([request_bytes("/v1/predict", image, port) for image in stage.images])
    asyncio.run(closed_loop(Endpoint(port), requests, _AT_CAPACITY, _CAPACITY_SECONDS / 2))
    capacity = asyncio.run(closed_loop(Endpoint(port), requests, _AT_CAPACITY, _CAPACITY_SECONDS)).per_second
    outage = with_traffic(stage, service)
    load = _OpenLoop(port, requests, _TIMES * capacity, outage.statuses)
    stage.stack.callback(load.end)
    outage.break_it, outage.repair = load.begin, load.end
    return outage


class _OpenLoop:
    """Sends `rate` requests a second from `begin` to `end`, which can be called twice; counts in `statuses`."""

    def __init__(self, port: int, requests: Iterator[bytes], rate: float, statuses: Counter[int]) -> None:
        self._port, self._requests, self._rate, self._statuses = port, requests, rate, statuses
        self._free: list[KeptConnection] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()), name="overload")

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    async def _send_all(self) -> None:
        chance, due = random.Random(_SEED), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while not self._over.is_set():
                due += chance.expovariate(self._rate)
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(self._send(next(self._requests)))
        for connection in self._free:
            connection.close()

    async def _send(self, request: bytes) -> None:
        connection = self._free.pop() if self._free else KeptConnection(Endpoint(self._port))
        self._statuses[await connection.send(request)] += 1
        self._free.append(connection)
