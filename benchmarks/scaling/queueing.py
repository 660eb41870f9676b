"""Queues, computed: Erlang's C, Allen and Cunneen's approximation, and a server that works in batches, exactly.

Times are in seconds, rates in requests a second. Arrivals are a Poisson process, as those of many independent callers
are (Palm and Khinchin); where callers come in step, waits are longer than is said here.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

_LOG_FACTORIALS = np.cumsum(np.log(np.maximum(np.arange(10_000), 1)))

Floats = npt.NDArray[np.float64]

_MOST_WAITING = 250
"""States of the batch server's chain; what lies beyond has no weight below 95 % of its capacity."""

_NOTHING = 1e-6
"""A probability that changes no result that is printed."""

_MOMENTS = 8
"""Into how many equal parts a batch's time is cut, to say when in it a request came."""


class OverloadedError(ValueError):
    """More requests arrive than can be served: the queue has no steady state."""


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that a request has to wait before `servers`, where `offered` of them would be busy.

    By the recursion of Erlang's B, which does not overflow: B(0) = 1, B(n) = aB(n-1) / (n + aB(n-1)).

    Raises:
        OverloadedError: as many requests arrive as can be served, or more.
    """
    if offered >= servers:
        raise OverloadedError(f"{offered:.2f} servers would be busy, and there are {servers}")
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


@dataclass(frozen=True)
class Queue:
    """One queue before several equal servers, M/G/c, by Allen and Cunneen's approximation.

    `variation` is the squared coefficient of variation of service times: 0 where all are the same, 1 for exponential
    ones, for which the approximation is exact, as it is for one server (Pollaczek and Khinchin).
    """

    rate: float
    servers: int
    service: float
    variation: float = 1.0

    @property
    def utilisation(self) -> float:
        """The share of time in which a server is busy."""
        return self.rate * self.service / self.servers

    @cached_property
    def waits(self) -> float:
        """The probability of having to wait."""
        return erlang_c(self.servers, self.rate * self.service)

    @property
    def mean_wait(self) -> float:
        """The mean time before service."""
        exponential = self.waits * self.service / (self.servers * (1 - self.utilisation))
        return exponential * (1 + self.variation) / 2

    def wait_quantile(self, share: float) -> float:
        """Return the wait that `share` of the requests do not exceed; positive waits taken as exponential."""
        if self.waits <= 1 - share:
            return 0.0
        return self.mean_wait / self.waits * math.log(self.waits / (1 - share))


@dataclass(frozen=True)
class Replied:
    """How requests fare in a steady state: `times` in seconds, each with its weight; all weights together are 1."""

    times: Floats
    weights: Floats
    mean_batch: float
    busy: float

    @property
    def mean(self) -> float:
        """The mean time from arrival to response."""
        return float(self.times @ self.weights)

    def quantile(self, share: float) -> float:
        """Return the time that `share` of the requests do not exceed."""
        order = np.argsort(self.times)
        reached = int(np.searchsorted(np.cumsum(self.weights[order]), share))
        return float(self.times[order][min(reached, len(order) - 1)])


@dataclass(frozen=True)
class BatchServer:
    """Serves all waiting requests in one batch, `most` at a time; no request waits for others while the server is free.

    A batch of n takes `fixed + n * each` seconds. This is our model server with `batch_timeout_micros: 0`, where the
    graph runs one batch at a time on all cores. Solved exactly: the number waiting when a batch ends is a Markov chain.
    """

    fixed: float
    each: float
    most: int

    def __post_init__(self) -> None:
        if self.most < 1 or self.each <= 0 or self.fixed < 0:
            raise ValueError(f"no server behaves like this: {self}")

    @property
    def capacity(self) -> float:
        """Requests a second at most."""
        return self.most / self.time_of(self.most)

    def time_of(self, batch: int) -> float:
        """Return how long a batch takes."""
        return self.fixed + batch * self.each

    def respond(self, rate: float) -> Replied:
        """Return how requests fare that arrive at `rate`.

        Raises:
            OverloadedError: it is the capacity, or more.
        """
        if rate >= self.capacity:
            raise OverloadedError(f"{rate:.1f} requests a second arrive, and {self.capacity:.1f} can be served")
        waiting = self._waiting_at_ends(rate)
        batches = np.minimum(np.maximum(np.arange(len(waiting)), 1), self.most)
        lasting = self.fixed + self.each * batches
        idle = waiting[0] / rate
        cycle = float(waiting @ lasting) + idle
        pieces = [(np.array([self.time_of(1)]), np.array([idle / cycle]))]
        for state, weight in enumerate(waiting * lasting / cycle):
            if weight > _NOTHING:
                pieces.append(self._found_busy(rate, max(state - self.most, 0), int(batches[state]), float(weight)))
        times, weights = (np.concatenate(each) for each in zip(*pieces, strict=True))
        return Replied(times, weights / weights.sum(), float(waiting @ batches), 1 - idle / cycle)

    def _waiting_at_ends(self, rate: float) -> Floats:
        """Return the probabilities of how many wait at a batch's end."""
        chain = np.zeros((_MOST_WAITING, _MOST_WAITING))
        for state in range(_MOST_WAITING):
            present = max(state, 1)
            batch = min(present, self.most)
            arrived = poisson(rate * self.time_of(batch), _MOST_WAITING)
            left = present - batch
            chain[state, left:] = arrived[: _MOST_WAITING - left]
            chain[state, -1] += 1 - chain[state].sum()
        balance = chain.T - np.eye(_MOST_WAITING)
        balance[-1] = 1  # one equation follows from the others; that all probabilities are 1 together does not
        found = np.linalg.solve(balance, np.eye(_MOST_WAITING)[-1])
        return np.clip(found, 0, None)

    def _found_busy(self, rate: float, left: int, batch: int, share: float) -> tuple[Floats, Floats]:
        """Return times and weights of requests that arrive while `batch` are served and `left` are waiting."""
        lasting = self.time_of(batch)
        times, weights = [], []
        for moment in (np.arange(_MOMENTS) + 0.5) / _MOMENTS * lasting:
            ahead = poisson(rate * moment, _terms(rate * moment))
            for came, likely in enumerate(ahead):
                if likely < _NOTHING:
                    continue
                rounds, place = divmod(left + came, self.most)
                wait = lasting - moment + rounds * self.time_of(self.most)
                behind = poisson(rate * wait, _terms(rate * wait))
                together = np.minimum(place + 1 + np.arange(len(behind)), self.most)
                times.append(wait + self.fixed + self.each * together)
                weights.append(share / _MOMENTS * likely * behind)
        return np.concatenate(times), np.concatenate(weights)


def poisson(mean: float, terms: int) -> Floats:
    """Return the probabilities of 0, 1, ... events where `mean` are expected."""
    counts = np.arange(terms)
    if mean == 0:
        return np.asarray((counts == 0) * 1.0)
    return np.asarray(np.exp(counts * math.log(mean) - mean - _LOG_FACTORIALS[:terms]))


def _terms(mean: float) -> int:
    """Return after how many terms next to nothing is left of a Poisson distribution."""
    return int(mean + 5 * math.sqrt(mean) + 8)
