"""How long something holds up the other coroutines of its event loop."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

_PAUSE = 0.001


class HeldUp(NamedTuple):
    """The longest time for which a coroutine that wanted to run did not, and how often it ran."""

    seconds: float
    times_run: int


async def held_up(call: Callable[[], Awaitable[object]], tries: int = 5, enough: float = 0) -> HeldUp:
    """Return how long and how often another coroutine waited and ran beside `call`.

    It is the best of several tries, for on a busy machine others take the processor, too: the first that held up
    nobody for `enough` seconds is the last.
    """
    best = HeldUp(float("inf"), 0)
    for _ in range(tries):
        best = min(best, await _held_up_once(call))
        if best.seconds < enough:
            break
    return best


async def _held_up_once(call: Callable[[], Awaitable[object]]) -> HeldUp:
    gaps: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_PAUSE)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(5 * _PAUSE)
    before = len(gaps)
    await call()
    times_run = len(gaps) - before
    await asyncio.sleep(5 * _PAUSE)
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    return HeldUp(max(gaps) - _PAUSE, times_run)
