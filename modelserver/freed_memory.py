"""Memory that was freed and that the C library keeps for later."""

import ctypes
import sys


def give_back_freed_memory() -> None:
    """Give it back to the system, where the C library is glibc; elsewhere it stays, which harms nobody."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim:
            trim(0)
