"""The same queues, event by event, with random numbers from a seed: what the formulas are compared with."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """Times from arrival to answer, and from arrival to the start of service, in seconds, in the order of arrival."""

    times: Floats
    waits: Floats


def arrivals(rate: float, number: int, random: np.random.Generator) -> Floats:
    """Return when requests of a Poisson process come."""
    return np.cumsum(random.exponential(1 / rate, number))


def simulate_servers(came: Floats, servers: int, service: Callable[[], float]) -> Simulated:
    """Let each request go to the server that is free first, in the order of arrival."""
    free = [0.0] * servers
    waits, times = np.empty(len(came)), np.empty(len(came))
    for number, moment in enumerate(came):
        start = max(float(moment), heapq.heappop(free))
        end = start + service()
        heapq.heappush(free, end)
        waits[number], times[number] = start - moment, end - moment
    return Simulated(times, waits)


def simulate_batches(came: Floats, most: int, time_of: Callable[[int], float]) -> Simulated:
    """Let one server take all who wait, `most` at a time, whenever it is free."""
    waits, times = np.empty(len(came)), np.empty(len(came))
    first, now = 0, 0.0
    while first < len(came):
        now = max(now, float(came[first]))
        last = min(first + most, int(np.searchsorted(came, now, side="right")))
        end = now + time_of(last - first)
        waits[first:last], times[first:last] = now - came[first:last], end - came[first:last]
        first, now = last, end
    return Simulated(times, waits)
