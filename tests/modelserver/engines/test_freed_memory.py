"""Memory that threads freed does not add up."""

import os
import subprocess
import sys

import pytest

ARENAS_OF_THREADS = """
import ctypes, sys, threading
from modelserver.engines.freed_memory import keep_little_freed_memory
if sys.argv[1] == "few":
    keep_little_freed_memory()
everybody = threading.Barrier(32)
def allocate():
    everybody.wait()
    bytearray(100_000)
    everybody.wait()
threads = [threading.Thread(target=allocate) for _ in range(32)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


def has_glibc() -> bool:
    """Return whether the C library is the one with arenas."""
    return sys.platform == "linux" and "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "")


@pytest.mark.skipif(not has_glibc(), reason="only glibc has arenas")
def test_threads_share_as_many_arenas_as_there_are_processors() -> None:
    """Without it, 32 threads that allocate at once have more."""

    def arenas(how: str) -> int:
        command = [sys.executable, "-c", ARENAS_OF_THREADS, how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stderr.count("Arena ")

    processors = os.cpu_count() or 1
    assert arenas("few") <= processors
    assert arenas("as ever") > min(processors, 31)
