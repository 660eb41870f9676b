"""HTTP clients: a closed loop, which sends again after each response, and an open loop, with arrivals of its own."""

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load.http_connection import Connection

OK = 200
_CONNECTIONS = 128
"""Requests of an open loop that are under way at most; more wait, and their time counts."""


@dataclass
class Load:
    """The results of one load. `latencies` are those of requests with status 200, in seconds, in no order.

    `late` are the seconds by which the generator sent requests of an open loop later than they were due although a
    connection was free; `generator` is the processor time that this process spent meanwhile.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0
    generator: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests with status 200 per second."""
        return len(self.latencies) / self.seconds

    @property
    def failed(self) -> int:
        """How many requests had another status than 200."""
        return self.statuses.total() - self.statuses[OK]

    def note(self, status: int, latency: float) -> None:
        """Count a response."""
        self.statuses[status] += 1
        if status == OK:
            self.latencies.append(latency)


Wait = Callable[[], Awaitable[object]]


async def closed_loop(
    port: int,
    requests: Iterator[bytes],
    clients: int,
    seconds: float,
    *,
    before_each: Wait | None = None,
    after_each: Callable[[], object] | None = None,
    heed_retry_after: bool = False,
) -> Load:
    """Send requests for `seconds` from clients with a connection each, one after another, at least one each.

    `before_each` is awaited before each request, and not counted; `after_each` is called after each response. With
    `heed_retry_after` a client waits after a 503 for as long as it says, or half of that or more, at random.
    """
    load, pauses = Load(), random.Random(clients)
    connections = [await Connection(port).open() for _ in range(clients)]

    async def work(connection: Connection) -> None:
        started = began
        while not started > end:
            if before_each:
                await before_each()
            started = time.perf_counter()
            load.note(await connection.send(next(requests)), time.perf_counter() - started)
            if after_each:
                after_each()
            if heed_retry_after and connection.retry_after:
                await asyncio.sleep(connection.retry_after * pauses.uniform(0.5, 1.0))

    cpu, began = time.process_time(), time.perf_counter()
    end = began + seconds
    try:
        await asyncio.gather(*(work(connection) for connection in connections))
    finally:
        load.seconds, load.generator = time.perf_counter() - began, time.process_time() - cpu
        for connection in connections:
            connection.close()
    return load


async def open_loop(
    port: int, requests: Iterator[bytes], due: Sequence[float], connections: int = _CONNECTIONS
) -> Load:
    """Send a request at each of the times `due`, in seconds from now, whether or not others have completed.

    A latency counts from when the request was due, not from when it was sent: a server that stops for a second
    delays all requests that arrive in that second.
    """
    load = Load()
    free = deque([await Connection(port).open() for _ in range(connections)])
    slots = asyncio.Semaphore(connections)
    cpu, began = time.process_time(), time.perf_counter()

    async def send(moment: float) -> None:
        connection = free.popleft()
        status = await connection.send(next(requests))
        load.note(status, time.perf_counter() - began - moment)
        free.append(connection)
        slots.release()

    async with asyncio.TaskGroup() as group:
        for moment in due:
            await asyncio.sleep(began + moment - time.perf_counter())
            waits = slots.locked()
            await slots.acquire()
            if not waits:
                load.late.append(time.perf_counter() - began - moment)
            group.create_task(send(moment))
    load.seconds, load.generator = time.perf_counter() - began, time.process_time() - cpu
    for connection in free:
        connection.close()
    return load


def poisson_arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the times at which requests of many independent callers arrive, `rate` a second on average, for so long.

    The same seed gives the same arrivals, at another rate closer together or further apart; one at least.
    """
    generator = random.Random(seed)
    times = itertools.accumulate(generator.expovariate(1.0) / rate for _ in itertools.count())
    first = next(times)
    return [first, *itertools.takewhile(lambda moment: moment < seconds, times)]


def lateness(load: Load) -> float:
    """Return by how many seconds the generator was late (median)."""
    return median(load.late) if load.late else 0.0
