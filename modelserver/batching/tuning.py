"""Parameters of batching that suit a model on this machine, measured with batches of several sizes.

A batch costs less per row than a lone row does, up to a size that only the machine knows; beyond it, larger batches
only take longer. Several batches at a time use processors that one batch leaves idle.
"""

import itertools
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean, linear_regression, median

from modelserver.batching.parameters import BatchParameters
from modelserver.model.calls import GraphCall, RunGraph, merged

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Rows in a batch to try."""

_RUNS = 2
"""Runs of each thread and size at least; the first run of a size is not counted, for it prepares the operations."""
_GOOD_ENOUGH = 0.95
"""A larger batch is worth while if it brings more than the rest: more rows at a time mean later responses."""
_ALWAYS, _ALWAYS_SECONDS = 8, 0.25
"""So many rows may always share a batch that takes no longer, for a run costs the server about a millisecond, too."""
_GATHER_SHARE, _GATHER_SECONDS = 0.1, 0.005
"""How long a request waits for others, as a part of what one row takes, and at most."""
_QUEUE_SECONDS = 10
"""How much work may wait; a request that would wait longer is better refused at once."""


@dataclass(frozen=True)
class Point:
    """What was measured with batches of `rows`, on as many `threads` at a time."""

    threads: int
    rows: int
    rows_per_second: float
    batch_seconds: float
    """How long a batch took, in the median."""


def curve(
    run: RunGraph,
    sample: GraphCall,
    seconds: float,
    seconds_per_point: float = 0.2,
    sizes: Sequence[int] = SIZES,
) -> Iterator[Point]:
    """Run batches made of the first row of `sample`, with one thread and with more, in growing `sizes`.

    Ends where larger batches are no faster, or before one that would not fit into `seconds` any more.

    Raises:
        ServingError: the graph refuses such a batch.
    """
    end = time.monotonic() + seconds
    row = sample.pieces(1)[0]
    best = worse = 0.0
    for size in sizes:
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
    """Return the number of threads that was fastest over all sizes, and the smallest batch that is large enough for it.

    A batch of n rows takes a + b n seconds: the least squares of all sizes say what a and b are, for on a machine
    with other work single measurements are off by a fifth. It is large enough where a / n is 5 % of b.

    A lone request runs at once; one that is not alone waits for a tenth of what one row takes, since clients that got
    their responses together send their next requests together. Requests of more rows than a batch are split.
    """
    threads = max({point.threads for point in points}, key=lambda number: _speed(points, number))
    fast = [point for point in points if point.threads == threads]
    size = _large_enough(fast)
    defaults = BatchParameters()
    largest = defaults.max_batch_size
    rows_that_may_wait = max(largest, _QUEUE_SECONDS * max(point.rows_per_second for point in fast))
    return BatchParameters(
        max_batch_size=largest,
        max_execution_batch_size=size,
        batch_timeout_micros=0,
        gather_micros=round(min(_GATHER_SHARE * points[0].batch_seconds, _GATHER_SECONDS) * 1e6) if size > 1 else 0,
        max_enqueued_batches=math.ceil(rows_that_may_wait / size),
        num_batch_threads=threads,
    )


def _speed(points: Sequence[Point], threads: int) -> float:
    """Return the mean logarithm of the rates at the sizes that every number of threads was measured with."""
    numbers = {point.threads for point in points}
    sizes = [point.rows for point in points]
    shared = {size for size in sizes if sizes.count(size) == len(numbers)}
    return fmean(
        math.log(point.rows_per_second) for point in points if point.threads == threads and point.rows in shared
    )


def _large_enough(points: Sequence[Point]) -> int:
    """Return a power of two, at most twice what was measured."""
    largest = points[-1].rows
    if len(points) == 1:
        return largest
    start, row = linear_regression(
        [1 / point.rows for point in points], [1 / point.rows_per_second for point in points]
    )
    if row <= 0:
        return largest
    in_time = _ALWAYS_SECONDS / points[0].threads  # of all threads; one batch has all of its own
    always = max((size for size in SIZES if size <= _ALWAYS and start + row * size <= in_time), default=1)
    wanted = max(start / row / (1 / _GOOD_ENOUGH - 1), always)
    return next((size for size in SIZES if size >= wanted or size >= 2 * largest), SIZES[-1])


def sentence(points: Sequence[Point], chosen: BatchParameters) -> str:
    """Return what was chosen, and what it brings, in one sentence."""
    threads, alone = chosen.num_batch_threads, points[0]
    best = max(point.rows_per_second for point in points if point.threads == threads)
    return (
        f"Batching up to {chosen.most_rows} rows on {threads} thread{'s' * (threads > 1)}: up to {best:.0f} rows/s, "
        f"where rows by themselves come to {alone.rows_per_second:.0f} rows/s at {alone.batch_seconds * 1e3:.1f} ms."
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
