"""Memory that threads freed does not add up."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ARENAS_OF_THREADS = """
import ctypes, sys, threading
from contract.process.freed_memory import reuse_freed_memory
if sys.argv[1] == "few":
    reuse_freed_memory()
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


def resident_mb() -> float:
    """Return how much memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not has_glibc(), reason="only glibc keeps it like this")
def test_a_server_gives_freed_memory_back(
    tmp_path: Path, start_server: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """Small blocks that were freed below one that is in use leave the process by themselves, while it serves."""
    c = ctypes.CDLL(None)
    c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    before = resident_mb()
    blocks = [c.malloc(60_000) for _ in range(5000)]
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    for block in blocks[:-1]:
        c.free(block)
    kept = resident_mb()
    assert kept > before + 200
    start_server(tmp_path / "scale")
    eventually(lambda: resident_mb() < kept - 150)
    c.free(blocks[-1])
