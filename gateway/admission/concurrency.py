"""Limits the requests in flight to the model server, and queues or sheds the others.

A limited number is in flight, a limited number waits a short time in order, and any further request is rejected at once
with Retry-After: in a long queue, responses would arrive after their callers have given up.
"""

import asyncio
import contextlib
import time
from collections import deque
from typing import Protocol

from gateway.deadline import Deadline
from gateway.errors import OverloadedError
from gateway.observability.metrics import Metrics
from gateway.observability.observation import QUEUE, Observation

QUEUE_FULL, QUEUE_TIMEOUT = "queue_full", "queue_timeout"


class Limit(Protocol):
    """A limit on requests in flight."""

    @property
    def current(self) -> int:
        """The current limit, at least 1."""

    def note(self, now: float, waiting: int) -> None:
        """Record that a call ended at `now`, in seconds of a steady clock, while so many waited for a slot."""


class FixedLimit:
    """A constant limit."""

    def __init__(self, current: int) -> None:
        self.current = current

    def note(self, now: float, waiting: int) -> None:
        """Ignore the call."""


class Admission:
    """Slots for calls to the model server, for one event loop."""

    def __init__(self, limit: Limit, max_queued: int, queue_timeout_seconds: float, metrics: Metrics) -> None:
        self._limit = limit
        self._max_queued = max_queued
        self._timeout = queue_timeout_seconds
        self._metrics = metrics.backend
        self._metrics.set_slots(0, limit.current)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def check_room(self) -> None:
        """Check before a body is read that the request can be admitted.

        Raises:
            OverloadedError: the queue is full.
        """
        if len(self._waiting) >= self._max_queued and self._in_flight >= self._limit.current:
            raise self._shed(QUEUE_FULL)

    def slot(self, deadline: Deadline, observation: Observation) -> "_Slot":
        """Return a slot for an `async with`; waiting requests get theirs in order of arrival.

        The wait is a stage of `observation`.

        Raises:
            OverloadedError: on entering, the queue is full, or no slot became free in time.
        """
        return _Slot(self, deadline, observation)

    async def enter(self, deadline: Deadline) -> None:
        """Wait for a slot; `slot` calls this on entering."""
        if self._in_flight < self._limit.current and not self._waiting:
            self._in_flight += 1
        else:
            self.check_room()
            await self._wait_for_turn(deadline)
        self._metrics.set_slots(self._in_flight, self._limit.current)

    async def _wait_for_turn(self, deadline: Deadline) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._metrics.set_queued(len(self._waiting))
        try:
            async with asyncio.timeout(min(self._timeout, deadline.remaining())):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise self._shed(QUEUE_TIMEOUT) from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        finally:
            self._metrics.set_queued(len(self._waiting))

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Leave the queue, and pass on a slot that was granted at the same moment."""
        if turn.done() and not turn.cancelled():
            self._leave()
            return
        with contextlib.suppress(ValueError):  # already removed by a request that left and found it cancelled
            self._waiting.remove(turn)

    def leave(self) -> None:
        """Release a slot; `slot` calls this on leaving."""
        self._limit.note(time.monotonic(), len(self._waiting))
        self._leave()

    def _leave(self) -> None:
        self._in_flight -= 1
        while self._waiting and self._in_flight < self._limit.current:
            turn = self._waiting.popleft()
            if not turn.done():  # a cancelled one removes itself
                self._in_flight += 1
                turn.set_result(None)
        self._metrics.set_slots(self._in_flight, self._limit.current)

    def _shed(self, reason: str) -> OverloadedError:
        self._metrics.count_shed(reason)
        return OverloadedError("Too many requests are in progress; try again shortly.")


class _Slot:
    """A slot while it is held. A class, because a generator's context manager costs four times as much."""

    __slots__ = ("_admission", "_deadline", "_observation")

    def __init__(self, admission: Admission, deadline: Deadline, observation: Observation) -> None:
        self._admission = admission
        self._deadline = deadline
        self._observation = observation

    async def __aenter__(self) -> None:
        with self._observation.stage(QUEUE):
            await self._admission.enter(self._deadline)

    async def __aexit__(self, *_: object) -> None:
        self._admission.leave()
