"""A budget of bytes for the bodies of all requests at once, taken before a body is read.

Each held byte costs four to five bytes of memory, because a body becomes images, a message and what gRPC sends. Those
who find no room wait, their bodies unread, and the smallest goes first. Large bodies cannot take all of the budget, and
a body that hardly arrives while others wait is given up: no caller holds room by sending slowly.
"""

import asyncio
import bisect
import contextlib
import itertools
from collections.abc import Callable

from gateway.errors import OverloadedError
from gateway.observability.metrics import Metrics

TOO_MANY_BYTES = "too_many_bytes"

_LARGE_BYTES = 1024 * 1024
_TICK_SECONDS = 0.1
_TICKS = 10
_LEAST_BYTES = 32 * 1024

_Entry = tuple[int, int, "asyncio.Future[None]"]

_sequence = itertools.count()


class HeldBytes:
    """What one request holds of the budget; with `size` 0, nothing."""

    __slots__ = ("_budget", "_give_up", "_moved", "_ticks", "size")

    def __init__(self, budget: "ByteBudget") -> None:
        self.size = 0
        self._budget = budget
        self._give_up: Callable[[], None] | None = None
        self._moved = 0
        self._ticks = 0

    async def take(self, size: int, give_up: Callable[[], None]) -> None:
        """Hold `size` bytes in all; `give_up` is called if they arrive too slowly while others wait.

        Raises:
            OverloadedError: there was no room in time.
        """
        self._give_up = None  # while it waits for room, nothing of it is read
        await self._budget.take(size)
        before, self.size = self.size, size
        self._budget.exchange(self, before)
        self._moved = self._ticks = 0
        self._give_up = give_up

    def arrived(self, count: int) -> None:
        """Note that so many bytes arrived."""
        self._moved += count

    def complete(self, size: int) -> None:
        """Note that all bytes are there, and that it were `size`; hold no more than those."""
        self._give_up = None
        if 0 < size < self.size:
            before, self.size = self.size, size
            self._budget.exchange(self, before, size)

    def release(self) -> None:
        """Hold nothing any more."""
        self._give_up = None
        if self.size:
            self._budget.remove(self)
            self.size = 0

    def tick(self) -> bool:
        """Return whether too little arrived in the last ticks; one that was found slow is found only once."""
        if self._give_up is None:
            return False
        if self._moved >= _LEAST_BYTES:
            self._moved = self._ticks = 0
            return False
        self._ticks += 1
        return self._ticks >= _TICKS

    def give_up(self) -> None:
        """Have the request end."""
        call, self._give_up = self._give_up, None
        if call is not None:
            call()


class ByteBudget:
    """The budget of one event loop: `most` bytes, three quarters of them for bodies of over a megabyte."""

    def __init__(self, most: int, max_waiting: int, wait_seconds: float, metrics: Metrics) -> None:
        self._most = most
        self._most_large = most * 3 // 4
        self._max_waiting = max_waiting
        self._wait_seconds = wait_seconds
        self._metrics = metrics.backend
        self._held = 0
        self._held_large = 0
        self._holders: set[HeldBytes] = set()
        self._waiting: list[_Entry] = []
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, size: int) -> None:
        """Take `size` bytes at once, or after waiting; `HeldBytes.take` calls this.

        Raises:
            OverloadedError: there was no room in time, or too many wait.
        """
        if self._fits(size) and (not self._waiting or self._waiting[0][0] > size):
            self._count(size)
            return
        turn = asyncio.get_running_loop().create_future()
        entry = (size, next(_sequence), turn)
        self._wait_in_turn(entry)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            self._stop_waiting(entry)
            if isinstance(error, TimeoutError):
                raise self._shed() from None
            raise

    def _wait_in_turn(self, entry: _Entry) -> None:
        """Wait; if too many do, the one with the largest body is sent away."""
        bisect.insort(self._waiting, entry)
        if len(self._waiting) > self._max_waiting:
            _, _, turn = self._waiting.pop()
            if turn is entry[2]:
                raise self._shed()
            if not turn.done():
                turn.set_exception(self._shed())
        if self._timer is None:
            self._watch()

    def _stop_waiting(self, entry: _Entry) -> None:
        size, _, turn = entry
        if turn.done() and not turn.cancelled() and turn.exception() is None:  # granted at the same moment
            self._give_back(size)
        else:
            with contextlib.suppress(ValueError):  # removed by one that left, and found it cancelled
                self._waiting.remove(entry)

    def exchange(self, holder: HeldBytes, before: int, instead: int = 0) -> None:
        """Watch a request that holds bytes; take back those it held `before`, and let it hold others `instead`."""
        self._holders.add(holder)
        self._count(instead)
        if before:
            self._give_back(before)

    def remove(self, holder: HeldBytes) -> None:
        """Take back what a request holds."""
        self._holders.discard(holder)
        self._give_back(holder.size)

    def _fits(self, size: int) -> bool:
        if self._held + size > self._most:
            return False
        return size <= _LARGE_BYTES or self._held_large + size <= self._most_large

    def _count(self, size: int) -> None:
        self._held += size
        if abs(size) > _LARGE_BYTES:
            self._held_large += size

    def _give_back(self, size: int) -> None:
        self._count(-size)
        while self._waiting and self._fits(self._waiting[0][0]):
            granted, _, turn = self._waiting.pop(0)
            if not turn.done():  # a cancelled one removes itself
                self._count(granted)
                turn.set_result(None)

    def _watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """Give up the slow ones among those that hold bytes, as long as somebody waits."""
        self._timer = None
        slow = [holder for holder in self._holders if holder.tick()]
        if not self._waiting:
            return
        for holder in slow:
            holder.give_up()
        self._watch()

    def _shed(self) -> OverloadedError:
        self._metrics.count_shed(TOO_MANY_BYTES)
        return OverloadedError("Too many bytes of requests are in progress; try again shortly, or send smaller images.")
