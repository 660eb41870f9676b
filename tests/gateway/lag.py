"""How long something holds up the other coroutines of its event loop."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

_PAUSE = 0.001


async def seconds_held_up(call: Callable[[], Awaitable[object]], tries: int = 5) -> float:
    """Return the longest time for which a coroutine that wanted to run beside `call` did not.

    It is the best of several tries: on a busy machine others take the processor, too.
    """
    return min([await _held_up_once(call) for _ in range(tries)])


async def _held_up_once(call: Callable[[], Awaitable[object]]) -> float:
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
    await call()
    await asyncio.sleep(5 * _PAUSE)
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    return max(gaps) - _PAUSE
