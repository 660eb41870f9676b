"""Threads that share the rows of one request or batch."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from modelserver.model.cancellation import Tokens, check_wanted

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class RowThreads:
    """`count` threads, started at once: they keep the priority of the thread that makes them.

    So a thread of normal priority has to make them, and not the one that loads versions. They end when
    nothing refers to this object any more.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="rows")
        all_there = threading.Barrier(count)
        list(self._pool.map(lambda _: all_there.wait(), range(count)))

    def map(self, function: Callable[[_Row], _Result], rows: Sequence[_Row], tokens: Tokens = ()) -> list[_Result]:
        """Return `function`'s result for each row, in their order; a lone row is handled in the caller's thread.

        Few of them wait for a thread at a time, so that requests of many rows take turns.

        Raises:
            CallCancelledError: a row was not begun, because nobody waits for it any more.
        """

        def one(row: _Row) -> _Result:
            check_wanted(tokens)
            return function(row)

        if len(rows) == 1:
            return [one(rows[0])]
        results: list[_Result] = []
        running: deque[Future[_Result]] = deque()
        try:
            for row in rows:
                if len(running) == 2 * self._count:
                    results.append(running.popleft().result())
                running.append(self._pool.submit(one, row))
            results.extend(future.result() for future in running)
        finally:
            for future in running:
                future.cancel()  # where one failed
        return results
