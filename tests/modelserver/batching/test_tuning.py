"""What a measurement chooses, by graphs whose speed is known."""

import os
import threading
import time

import numpy as np

from modelserver.batching.parameters import BatchParameters
from modelserver.batching.tuning import SIZES, Point, choose, curve, sentence
from modelserver.model.calls import GraphCall, GraphOutputs

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


def _measured(threads: int, start: float, row: float, *factors: float) -> list[Point]:
    """Return points of a machine that takes `start + row * n` seconds; each rate is off by a factor."""
    rates = [(2**power, factor / (start / 2**power + row)) for power, factor in enumerate(factors)]
    return _points(*((threads, rows, rate) for rows, rate in rates))


def test_the_smallest_batch_that_is_worth_while_is_chosen() -> None:
    """As many rows as it takes to pay for the start of a batch but 5 %; more where it costs more to start."""
    some, many = (_measured(1, start, 0.01, 1, 1, 1, 1, 1, 1) for start in (0.007, 0.01))
    assert choose(some).most_rows == 16
    assert choose(many).most_rows == 32


def test_eight_rows_may_share_a_batch_unless_it_takes_long() -> None:
    """Where batches bring the graph nothing they still save the server's part; but nobody waits long for others."""
    for threads in (1, 2):
        assert choose(_measured(threads, 0.0, 0.01, 1, 1, 1)).most_rows == 8
    assert choose(_measured(1, 0.0, 0.1, 1, 1, 1)).most_rows == 2
    assert choose(_measured(2, 0.0, 0.1, 1, 1, 1)).most_rows == 1


def test_a_measurement_that_is_off_changes_little() -> None:
    """Rates that are a tenth too high or too low lead to half or twice the rows at most."""
    for factors in ((1, 1, 1.1, 1, 1), (1, 1, 1, 0.9, 1), (0.9, 1, 1, 1, 1), (1, 1.1, 1, 1, 1.1)):
        assert choose(_measured(1, 0.007, 0.013, *factors)).most_rows in {8, 16, 32}


def test_no_batch_is_chosen_that_is_far_from_what_was_measured() -> None:
    """Where there was time for few sizes, twice the largest of them is the most; one size stays."""
    assert choose(_measured(1, 0.05, 0.001, 1, 1)).most_rows == 4
    assert choose(_measured(1, 0.05, 0.001, 1)).most_rows == 1


def test_the_faster_number_of_threads_is_chosen() -> None:
    """It is chosen over all sizes that were measured with both."""
    one, two = _measured(1, 0.01, 0.01, 1, 1, 1.4), _measured(2, 0.008, 0.008, 1, 1, 1)
    assert choose([*one, *two]).num_batch_threads == 2
    assert choose([*_measured(1, 0.01, 0.01, 1, 1, 1), *_measured(2, 0.011, 0.011, 1, 1)]).num_batch_threads == 1


def test_what_is_chosen_lets_no_lone_request_wait_and_no_large_one_fail() -> None:
    """A free thread starts at once, requests may be as large as in TensorFlow Serving, and such a one may wait."""
    chosen = choose(_points((1, 1, 80), (2, 1, 100), (2, 8, 200)))
    assert chosen.batch_timeout_micros == 0
    assert 0 < chosen.gather_micros <= 1250
    assert chosen.max_batch_size == BatchParameters().max_batch_size
    assert chosen.max_enqueued_batches * chosen.most_rows >= chosen.max_batch_size


def test_a_sentence_says_what_was_chosen() -> None:
    """The sentence names sizes, threads and rates."""
    points = _points((1, 1, 80), (2, 1, 100), (2, 8, 200))
    assert sentence(points, choose(points)) == (
        "Batching up to 16 rows on 2 threads: up to 200 rows/s, where rows by themselves come to 80 rows/s at 12.5 ms."
    )
