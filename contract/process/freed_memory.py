"""Memory that was freed and that glibc keeps for later; other C libraries are left alone."""

import ctypes
import os
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of `mallopt`, in glibc's malloc.h."""
_MOST_FROM_HEAP = 32 * 1024 * 1024
"""The largest that glibc takes, and more than a body or message has."""
_MOST_KEPT = 64 * 1024 * 1024


def reuse_freed_memory() -> None:
    """Keep what large blocks leave for the next ones, in few arenas; to be called before threads are started.

    By itself glibc asks the system for each block of megabytes, whose pages come one by one and filled with zeros: a
    copy of 19 MB took 12 ms, in which Python's lock is held, and takes 2.5 ms in memory that was used before. It also
    gives threads up to eight times as many arenas as there are processors, and each keeps what its threads freed: the
    model server grew by 115 MB while a hundred versions replaced each other, until all threads had had their images.
    """
    if change := _function("mallopt"):
        change(_M_ARENA_MAX, os.cpu_count() or 1)
        change(_M_MMAP_THRESHOLD, _MOST_FROM_HEAP)
        change(_M_TRIM_THRESHOLD, _MOST_KEPT)


def give_back_freed_memory() -> None:
    """Give it back to the system now."""
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
