"""Work that gives way to requests."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_NICENESS = 10
"""As of the command `nice`. A version is loaded as fast as ever where a processor is free."""

_Result = TypeVar("_Result")


async def run_at_low_priority(function: Callable[..., _Result], *arguments: object) -> _Result:
    """Run a function in a new thread, of lower priority where threads have priorities (Linux).

    A new one, because only a privileged process may give a thread its old priority back. Threads that it starts have
    the lower one too.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="low-priority", initializer=give_way)
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)
    finally:
        thread.shutdown(wait=False)


def give_way() -> None:
    """Give the calling thread, and what threads it starts, the lower priority for good (Linux)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
