"""Which parameters of batching suit a model on this machine: by running it in batches of several sizes.

A batch costs less per row than a lone row does, up to a size that only the machine knows; beyond it, larger batches
only take longer. Several batches at a time use the processors that one batch leaves idle.
"""

import itertools
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from modelserver.batch_parameters import BatchParameters
from modelserver.graph_calls import GraphCall, RunGraph, merged

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Rows in a batch to try."""

_RUNS = 2
"""Runs of each thread and size at least; the first run of a size is not counted, for it prepares the operations."""
_GOOD_ENOUGH = 0.95
"""A smaller batch is preferred if it has this part of the best rate: fewer rows at a time mean shorter answers."""
_QUEUE_SECONDS = 10
"""How much work may wait; a request that had to wait longer is better refused at once."""


@dataclass(frozen=True)
class Point:
    """What was measured with batches of `rows`, on as many `threads` at a time."""

    threads: int
    rows: int
    rows_per_second: float
    batch_seconds: float
    """How long a batch took, in the median."""


def curve(run: RunGraph, sample: GraphCall, seconds: float, seconds_per_point: float = 0.2) -> Iterator[Point]:
    """Run batches made of the first row of `sample`, with one thread and with more, in growing sizes.

    Ends where larger batches are no faster, or before one that would not fit into `seconds` any more.

    Raises:
        ModelServerError: the graph refuses such a batch.
    """
    end = time.monotonic() + seconds
    row = sample.pieces(1)[0]
    best = worse = 0.0
    for size in SIZES:
        batch, before = merged([row], size), best
        began = time.monotonic()
        run(batch)
        once = time.monotonic() - began
        for threads in _numbers_of_threads():
            if size > 1 and time.monotonic() + once * _RUNS * threads > end:
                return
            point = _measure(run, batch, threads, seconds_per_point)
            best = max(best, point.rows_per_second)
            yield point
        worse = worse + 1 if best < before * (2 - _GOOD_ENOUGH) else 0
        if worse == 2:
            return


def choose(points: Sequence[Point]) -> BatchParameters:
    """Return the parameters with the fewest rows in work among those that are about as fast as the best.

    No request waits for others while a thread is free: under load they meet while the threads are busy, and a lone
    one is answered at once. Requests of more rows than a batch are split.
    """
    best = max(point.rows_per_second for point in points)
    fast = [point for point in points if point.rows_per_second >= _GOOD_ENOUGH * best]
    chosen = min(fast, key=lambda point: (point.threads * point.rows, -point.rows_per_second))
    defaults = BatchParameters()
    largest = defaults.max_batch_size
    rows_that_may_wait = max(largest, _QUEUE_SECONDS * chosen.rows_per_second)
    return BatchParameters(
        max_batch_size=largest,
        max_execution_batch_size=chosen.rows,
        batch_timeout_micros=0,
        max_enqueued_batches=math.ceil(rows_that_may_wait / chosen.rows),
        num_batch_threads=chosen.threads,
    )


def sentence(points: Sequence[Point], chosen: BatchParameters) -> str:
    """Return what was chosen, and what it brings, in one sentence."""
    rate = {(point.threads, point.rows): point.rows_per_second for point in points}
    alone = points[0]
    return (
        f"Batching up to {chosen.most_rows} rows on {chosen.num_batch_threads} threads: "
        f"{rate[chosen.num_batch_threads, chosen.most_rows]:.0f} rows/s, where rows by themselves come to "
        f"{alone.rows_per_second:.0f} rows/s at {alone.batch_seconds * 1e3:.1f} ms."
    )


def _numbers_of_threads() -> list[int]:
    processors = os.cpu_count() or 1
    doubling = itertools.takewhile(lambda number: number < processors, (2**power for power in itertools.count()))
    return [*doubling, processors]


def _measure(run: RunGraph, batch: GraphCall, threads: int, seconds: float) -> Point:
    began = time.monotonic()

    def work(_: int) -> list[float]:
        times: list[float] = []
        while len(times) < _RUNS or time.monotonic() < began + seconds:
            started = time.monotonic()
            run(batch)
            times.append(time.monotonic() - started)
        return times

    with ThreadPoolExecutor(threads) as pool:
        times = list(itertools.chain.from_iterable(pool.map(work, range(threads))))
    rows = len(batch.arguments[0])
    return Point(threads, rows, rows * len(times) / (time.monotonic() - began), median(times))
