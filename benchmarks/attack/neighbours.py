"""Other callers, in a process of their own: seven that send images, and one that asks whether the service lives."""

import asyncio
import itertools
import multiprocessing
import multiprocessing.synchronize
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Self

import uvloop

from benchmarks.attack.exchange import Target
from graft.traffic.clients import OK, Load
from graft.traffic.connection import Endpoint, KeptConnection

GOOD = 7
PAUSE_SECONDS = 0.15
"""How long a good client waits between a response and its next request: seven together leave the machine room."""
_PULSE_SECONDS = 0.005

_until: multiprocessing.synchronize.Event | None = None


class Neighbours:
    """The process; each method starts something there that goes on until `stop`."""

    def __init__(self, target: Target, images: Sequence[bytes]) -> None:
        self._target = target
        self._requests = [
            target.request("/v1/predict", image, headers={"content-type": "image/jpeg"}) for image in images
        ]
        context = multiprocessing.get_context("spawn")
        self._until = context.Event()
        self._pool = ProcessPoolExecutor(1, context, _remember, (self._until,))

    def __enter__(self) -> Self:
        self._pool.submit(_over).result()  # started now, it has the priority that this process has now
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until.set()
        self._pool.shutdown()

    def start(self, clients: int = GOOD) -> "Future[Load]":
        """Let good clients send images."""
        self._until.clear()
        return self._pool.submit(_send, self._target, self._requests, clients)

    def start_pulse(self) -> "Future[float]":
        """Let one client ask for `/livez` many times a second; the result is the longest wait in seconds."""
        self._until.clear()
        request = self._target.request("/livez", method="GET")
        return self._pool.submit(_pulse, self._target, request)

    def stop(self) -> None:
        """Let what was started end."""
        self._until.set()


def _remember(until: multiprocessing.synchronize.Event) -> None:
    global _until  # noqa: PLW0603 - the only way from a pool's initializer to its work
    _until = until


def _over() -> bool:
    assert _until is not None
    return _until.is_set()


def _send(target: Target, requests: Sequence[bytes], clients: int) -> Load:
    return uvloop.run(_good_clients(target, requests, clients))


async def _good_clients(target: Target, requests: Sequence[bytes], clients: int) -> Load:
    turns = itertools.cycle(requests)
    load = Load()

    async def work(number: int) -> None:
        connection = KeptConnection(Endpoint(target.port, target.host))
        await asyncio.sleep(PAUSE_SECONDS * number / clients)
        while not _over():
            began = time.perf_counter()
            load.note(await connection.send(next(turns)), time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(clients)))
    load.seconds = time.perf_counter() - began
    return load


def _pulse(target: Target, request: bytes) -> float:
    return uvloop.run(_longest_wait(target, request))


async def _longest_wait(target: Target, request: bytes) -> float:
    connection, longest = KeptConnection(Endpoint(target.port, target.host)), 0.0
    while not _over():
        began = time.perf_counter()
        status = await connection.send(request)
        longest = max(longest, time.perf_counter() - began) if status == OK else float("inf")
        await asyncio.sleep(_PULSE_SECONDS)
    connection.close()
    return longest
