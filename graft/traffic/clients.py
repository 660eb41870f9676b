"""HTTP clients: a closed loop, which sends again after each response, and an open loop, with arrivals of its own."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from graft.traffic.connection import LOST, Endpoint, KeptConnection

OK = 200
CONNECTIONS = 128
"""Requests of an open loop that are under way at most; more wait, and their time counts."""
_AFTER_LOST_SECONDS = 0.05
"""Before a client sends again; a port that is closed is not tried thousands of times."""


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
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """How many requests had another status than 200."""
        return self.statuses.total() - len(self.latencies)

    def note(self, status: int, latency: float, request: bytes = b"", connection: KeptConnection | None = None) -> None:
        """Count a response; `connection` has its body. Who looks into it does so in a subclass."""
        self.statuses[status] += 1
        if status == OK:
            self.latencies.append(latency)


Wait = Callable[[], Awaitable[object]]


async def closed_loop(
    endpoint: Endpoint,
    requests: Iterator[bytes],
    clients: int,
    seconds: float,
    *,
    before_each: Wait | None = None,
    after_each: Callable[[], object] | None = None,
    heed_retry_after: bool = False,
    into: Load | None = None,
) -> Load:
    """Send requests for `seconds` from clients with a connection each, one after another, at least one each.

    `before_each` is awaited before each request, and not counted; `after_each` is called after each response. With
    `heed_retry_after` a client waits after a 503 for as long as it says, or half of that or more, at random. What was
    counted until it is cancelled is in `into`.
    """
    load = Load() if into is None else into
    pauses = random.Random(clients)  # noqa: S311 - nothing depends on its being hard to guess
    connections = [KeptConnection(endpoint) for _ in range(clients)]
    await _connect(connections, endpoint.patience)
    cpu, began = time.process_time(), time.perf_counter()

    async def work(connection: KeptConnection) -> None:
        started = began
        while not started > began + seconds:
            if before_each:
                await before_each()
            request, started = next(requests), time.perf_counter()
            status = await connection.send(request)
            load.note(status, time.perf_counter() - started, request, connection)
            if after_each:
                after_each()
            if heed_retry_after and connection.retry_after:
                await asyncio.sleep(connection.retry_after * pauses.uniform(0.5, 1.0))
            elif status == LOST:
                await asyncio.sleep(_AFTER_LOST_SECONDS)

    try:
        await asyncio.gather(*(work(connection) for connection in connections))
    finally:
        load.seconds, load.generator = time.perf_counter() - began, time.process_time() - cpu
        for connection in connections:
            connection.close()
    return load


async def open_loop(
    endpoint: Endpoint,
    requests: Iterator[bytes],
    due: Sequence[float],
    connections: int = CONNECTIONS,
    *,
    into: Load | None = None,
) -> Load:
    """Send a request at each of the times `due`, in seconds from now, whether or not others have completed.

    A latency counts from when the request was due, not from when it was sent: a server that stops for a second
    delays all requests that arrive in that second. So does the endpoint's patience: a request that no connection was
    free for until then is not sent, and counts as timed out. What was counted until it is cancelled is in `into`.
    """
    load = Load() if into is None else into
    free = [KeptConnection(endpoint) for _ in range(connections)]
    slots = asyncio.Semaphore(connections)
    cpu, began = time.process_time(), time.perf_counter()

    def since(moment: float) -> float:
        return time.perf_counter() - began - moment

    async def send(moment: float) -> None:
        left = None if endpoint.patience is None else endpoint.patience - since(moment)
        request = next(requests)
        connection = free.pop()  # the one that was used last: few are opened where few are needed
        try:
            status = await connection.send(request, left)
            load.note(status, since(moment), request, connection)
        finally:
            free.append(connection)
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            for moment in due:
                await asyncio.sleep(-since(moment))
                waits = slots.locked()
                await slots.acquire()
                if not waits:
                    load.late.append(since(moment))
                group.create_task(send(moment))
    finally:
        load.seconds, load.generator = time.perf_counter() - began, time.process_time() - cpu
        for connection in free:
            connection.close()
    return load


def poisson_arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the times at which requests of many independent callers arrive, `rate` a second on average, for so long.

    The same seed gives the same arrivals, at another rate closer together or further apart; one at least.
    """
    generator = random.Random(seed)  # noqa: S311 - nothing depends on its being hard to guess
    times = itertools.accumulate(generator.expovariate(1.0) / rate for _ in itertools.count())
    first = next(times)
    return [first, *itertools.takewhile(lambda moment: moment < seconds, times)]


def lateness(load: Load) -> float:
    """Return by how many seconds the generator was late (median)."""
    return median(load.late) if load.late else 0.0


async def _connect(connections: Sequence[KeptConnection], patience: float | None) -> None:
    """Open all connections; one that cannot be opened is tried again, and says why, when it sends."""

    async def opened(connection: KeptConnection) -> None:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(patience):
                await connection.open()

    await asyncio.gather(*map(opened, connections))
