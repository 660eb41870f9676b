"""The budget of bytes by itself: who waits, who goes first, and what is given back at the same moment."""

import asyncio

import pytest

from gateway.admission.held_bytes import ByteBudget, HeldBytes
from gateway.errors import OverloadedError
from gateway.observability.metrics import Metrics

MOST = 1000


def budget(wait_seconds: float = 20.0, max_waiting: int = 10) -> ByteBudget:
    """Return a budget of a thousand bytes."""
    return ByteBudget(MOST, max_waiting, wait_seconds, Metrics(["m"]))


def not_given_up() -> None:
    """Take the place of what ends a request whose body hardly arrives."""
    raise AssertionError("given up")


async def take(held: HeldBytes, size: int) -> None:
    """Hold bytes that have all arrived."""
    await held.take(size, not_given_up)
    held.complete(size)


def test_who_finds_no_room_goes_when_there_is() -> None:
    """The smallest of those who wait goes first, and what is released is there for the next."""

    async def run() -> list[int]:
        bytes_ = budget()
        first, order = HeldBytes(bytes_), []

        async def wait(size: int) -> None:
            own = HeldBytes(bytes_)
            await take(own, size)
            order.append(size)
            own.release()

        await take(first, MOST)
        waiting = [asyncio.create_task(wait(size)) for size in (900, 600, 300)]
        await asyncio.sleep(0)
        assert order == []
        first.release()
        await asyncio.gather(*waiting)
        await take(HeldBytes(bytes_), MOST)  # nothing was lost
        return order

    assert asyncio.run(run()) == [300, 600, 900]


def test_who_waits_too_long_is_refused_and_leaves_nothing_behind() -> None:
    """A refusal takes no room from the others."""

    async def run() -> None:
        bytes_ = budget(wait_seconds=0.05)
        first = HeldBytes(bytes_)
        await take(first, MOST)
        with pytest.raises(OverloadedError):
            await take(HeldBytes(bytes_), 1)
        first.release()
        await take(HeldBytes(bytes_), MOST)

    asyncio.run(run())


def test_too_many_who_wait_are_refused_at_once() -> None:
    """The queue is bounded."""

    async def run() -> None:
        bytes_ = budget(max_waiting=1)
        await take(HeldBytes(bytes_), MOST)
        waiting = asyncio.create_task(take(HeldBytes(bytes_), 1))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await take(HeldBytes(bytes_), 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize("release_first", [True, False])
def test_a_caller_that_leaves_as_room_is_made(release_first: bool) -> None:
    """Room given to a request that ends in the same moment goes to the next one, and nobody else notices."""

    async def run() -> None:
        bytes_ = budget()
        first, second, third = HeldBytes(bytes_), HeldBytes(bytes_), HeldBytes(bytes_)
        await take(first, MOST)
        leaving = asyncio.create_task(take(second, MOST - 1))
        staying = asyncio.create_task(take(third, MOST))
        await asyncio.sleep(0)
        if release_first:
            first.release()
            leaving.cancel()
        else:
            leaving.cancel()
            first.release()
        async with asyncio.timeout(20):
            await staying
        with pytest.raises(asyncio.CancelledError):
            await leaving
        third.release()
        await take(HeldBytes(bytes_), MOST)

    asyncio.run(run())
