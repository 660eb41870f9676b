"""Memory that was freed and that glibc keeps for later; other C libraries are left alone."""

import ctypes
import os
import sys
from typing import Any

_M_ARENA_MAX = -8
"""Of `mallopt`, in glibc's malloc.h."""


def keep_little_freed_memory() -> None:
    """Let threads share as many arenas as there are processors; to be called before they are started.

    glibc gives up to eight times as many, and each keeps what its threads freed: the server grew by 115 MB while
    a hundred versions replaced each other, until all threads had had their images.
    """
    if change := _function("mallopt"):
        change(_M_ARENA_MAX, os.cpu_count() or 1)


def give_back_freed_memory() -> None:
    """Give it back to the system now."""
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
