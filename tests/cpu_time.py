"""How much of a processor something takes, on machines that differ and that others use, too."""

import gc
import json
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

TRIES = 5
QUIET_SECONDS = 0.0065
"""What the reference takes on the machine where the tests' bounds were set (2 cores at 2.5 GHz) with nothing beside."""

_NUMBERS = json.dumps([[number, number / 7, str(number)] for number in range(8_000)])
_BYTES = np.random.default_rng(1).integers(0, 64, 150_000, np.uint8).tobytes()


def quiet_cpu_seconds(work: Callable[[], object], enough: float, *, all_threads: bool = False) -> float:
    """Return the processor time of `work` in seconds of a quiet machine: the least of a few tries.

    The first try within `enough` is the last. Time is divided by how much slower than on a quiet machine a reference
    runs before and after the try. With `all_threads`, what the threads of the whole process take counts; without,
    what this thread takes.
    """
    clock = time.process_time if all_threads else time.thread_time
    least = float("inf")
    with _collecting_only_new_objects():
        for _ in range(TRIES):
            before = slowness()
            started = clock()
            work()
            taken = clock() - started
            least = min(least, taken / max(before, slowness()))
            if least < enough:
                break
    return least


def slowness() -> float:
    """Return how many times longer than on a quiet machine this thread takes now, at least 1."""
    return max(1.0, min(_reference_seconds() for _ in range(3)) / QUIET_SECONDS)


def _reference_seconds() -> float:
    """Return the processor time of what stands for parsing, making objects, going through memory and decompressing."""
    started = time.thread_time()
    json.loads(_NUMBERS)
    zlib.compress(_BYTES, 1)
    return time.thread_time() - started


@contextmanager
def _collecting_only_new_objects() -> Iterator[None]:
    """Spare the garbage collector the millions of objects of a process of many tests, which no service has."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
