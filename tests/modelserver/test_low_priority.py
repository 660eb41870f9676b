"""Work aside: in a thread of its own, which gives way to those who are being answered."""

import asyncio
import os
import sys
import threading

import pytest

from modelserver.low_priority import run_at_low_priority


def priority() -> tuple[int, int]:
    """Return which thread this is, and its niceness."""
    return threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_it_has_a_lower_priority_and_leaves_that_of_others() -> None:
    """The function runs ten steps nicer, in another thread; the caller's priority stays."""
    own = priority()
    found = asyncio.run(run_at_low_priority(priority))
    assert found[0] != own[0]
    assert found[1] == min(max(10, own[1]), 19)
    assert priority() == own


def test_results_and_errors_come_through() -> None:
    """Arguments go in, the result comes out, and what is raised is raised here."""
    assert asyncio.run(run_at_low_priority(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_at_low_priority(divmod, 7, 0))


def test_the_loop_goes_on_meanwhile() -> None:
    """While the function waits, others are served by the event loop."""
    released = threading.Event()

    async def serve() -> bool:
        waiting = asyncio.create_task(run_at_low_priority(released.wait, 30))
        await asyncio.sleep(0)
        released.set()  # by the loop that would else be blocked
        return await waiting

    assert asyncio.run(serve())
