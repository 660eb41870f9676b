"""A pipe that is full already, and that nothing reads: the standard output of a process whose reader hangs."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def unread_pipe() -> Iterator[int]:
    """Make the pipe, and yield the descriptor of its writing end, which blocks."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"\n")
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)
