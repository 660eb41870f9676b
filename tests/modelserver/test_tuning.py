"""What a measurement chooses, by graphs whose speed is known."""

import os
import threading
import time

import numpy as np

from modelserver.batch_parameters import BatchParameters
from modelserver.graph_calls import GraphCall, GraphOutputs
from modelserver.tuning import SIZES, Point, choose, curve, sentence

SAMPLE = GraphCall("serving_default", (np.arange(6.0).reshape(3, 2),), ("y",))
"""Three rows, of which the first is measured with."""


class Machine:
    """A graph that takes `start` seconds for a batch and `row` for each row; one batch at a time, if `alone`."""

    def __init__(self, start: float, row: float, *, alone: bool) -> None:
        self._start = start
        self._row = row
        self._turn: threading.Lock | threading.Semaphore = threading.Lock() if alone else threading.Semaphore(99)
        self.seen: set[int] = set()

    def run(self, call: GraphCall) -> GraphOutputs:
        """Take the time."""
        (x,) = call.arguments
        assert np.array_equal(x, np.broadcast_to([0, 1], x.shape))
        self.seen.add(len(x))
        with self._turn:
            time.sleep(self._start + self._row * len(x))
        return {"y": x}


def _points(*measured: tuple[int, int, float]) -> list[Point]:
    return [Point(threads, rows, rate, rows / rate) for threads, rows, rate in measured]


def test_the_curve_shows_what_larger_batches_bring() -> None:
    """Batches of one row and more are measured, with one thread and one per processor, until they bring nothing."""
    machine = Machine(start=0.01, row=0.0005, alone=True)
    points = list(curve(machine.run, SAMPLE, seconds=30, seconds_per_point=0.01))
    assert {point.threads for point in points} >= {1, os.cpu_count()}
    rates = {point.rows: point.rows_per_second for point in points if point.threads == 1}
    assert rates[8] > 3 * rates[1]
    assert all(0.9 * point.rows * 0.0005 + 0.009 < point.batch_seconds for point in points)


def test_the_curve_ends_where_larger_batches_are_no_faster() -> None:
    """A graph that takes as long for every row is not measured with many rows."""
    machine = Machine(start=0, row=0.002, alone=True)
    list(curve(machine.run, SAMPLE, seconds=30, seconds_per_point=0.01))
    assert max(machine.seen) < max(SIZES)


def test_the_curve_keeps_to_its_time() -> None:
    """What would take longer than is left is not measured; single rows always are."""
    machine = Machine(start=0.1, row=0, alone=False)
    began = time.monotonic()
    points = list(curve(machine.run, SAMPLE, seconds=0.1, seconds_per_point=0.01))
    assert {point.rows for point in points} == {1}
    assert time.monotonic() - began < 5


def test_the_smallest_of_the_fast_ones_is_chosen() -> None:
    """Nearly the best rate with fewer rows in work is better than the best; slower ones are not considered."""
    points = _points((1, 1, 80), (2, 1, 120), (1, 8, 150), (2, 4, 190), (2, 8, 200), (2, 16, 201))
    chosen = choose(points)
    assert (chosen.num_batch_threads, chosen.most_rows) == (2, 8)
    slightly = choose([*points, *_points((2, 4, 192))])
    assert (slightly.num_batch_threads, slightly.most_rows) == (2, 4)


def test_what_is_chosen_lets_no_lone_request_wait_and_no_large_one_fail() -> None:
    """A free thread starts at once, requests may be as large as in TensorFlow Serving, and such a one may wait."""
    chosen = choose(_points((1, 1, 80), (2, 8, 200)))
    assert chosen.batch_timeout_micros == 0
    assert chosen.max_batch_size == BatchParameters().max_batch_size
    assert chosen.max_enqueued_batches * chosen.most_rows >= chosen.max_batch_size


def test_a_sentence_says_what_was_chosen() -> None:
    """The sentence names sizes, threads and rates."""
    points = _points((1, 1, 80), (2, 8, 200))
    assert sentence(points, choose(points)) == (
        "Batching up to 8 rows on 2 threads: 200 rows/s, where rows by themselves come to 80 rows/s at 12.5 ms."
    )
