"""Threads that share the rows of one request or batch."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class RowThreads:
    """`count` threads, started at once: they keep the priority of the thread that makes them.

    So a thread of normal priority has to make them, and not the one that loads versions. They end when
    nothing refers to this object any more.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="rows")
        all_there = threading.Barrier(count)
        list(self._pool.map(lambda _: all_there.wait(), range(count)))

    def map(self, function: Callable[[_Row], _Result], rows: Sequence[_Row]) -> list[_Result]:
        """Return `function`'s result for each row, in their order; a lone row is handled in the caller's thread."""
        if len(rows) == 1:
            return [function(rows[0])]
        return list(self._pool.map(function, rows))
