"""Nothing is computed for callers that have left."""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from modelserver.batching.runs import run_batch
from modelserver.engines.litert.row_threads import RowThreads
from modelserver.errors import CallCancelledError
from modelserver.model.calls import merged
from modelserver.model.cancellation import CancellationToken, is_wanted
from tests.modelserver.halving_graph import Halves, call
from tests.modelserver.litert_versions import image, write_version

LONG = np.array(2_000_000_000, np.int32)
"""Steps of the signature `slow`, which take many minutes."""
ROWS = 256


@pytest.fixture(params=[False, True], ids=["alone", "in batches"])
def batching(request: pytest.FixtureRequest) -> bool:
    """Whether the server makes batches."""
    return bool(request.param)


def test_a_graph_of_tensorflow_is_stopped_when_its_caller_leaves(
    start_server: Callable[..., Any],
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    tmp_path: Path,
) -> None:
    """The one thread is free for the next caller at once."""
    publish(tmp_path / "scale", 1, 2.0)
    client = start_server(tmp_path / "scale", grpc_max_threads=1, engine="tensorflow")
    eventually(lambda: client.is_available(1))
    running = client.start_predict({"n": LONG}, "slow")
    client.states()  # answered on the same connection: the request has arrived before
    time.sleep(0.3)  # so that it runs, which is the harder case; either has to end
    running.cancel()
    assert list(client.predict({"x": np.ones(1, np.float32)}).outputs["y"].float_val) == [2.0]


@pytest.mark.parametrize("engine", ["litert", "tensorflow"])
def test_rows_are_not_computed_when_the_caller_has_left(
    start_server: Callable[..., Any], eventually: Callable[..., None], tmp_path: Path, engine: str, batching: bool
) -> None:
    """After a deadline that passes early, another caller waits for a small part of what the first one sent."""
    (tmp_path / "colours").mkdir()
    write_version(tmp_path / "colours" / "1", repeats=200)
    client = start_server(
        *(tmp_path / "colours", "colours"), grpc_max_threads=1, engine=engine, enable_batching=batching
    )
    eventually(lambda: client.is_available(1, "colours"))
    many = {"image_bytes": np.array([image(1)] * ROWS, np.object_)}
    one = {"image_bytes": many["image_bytes"][:1]}
    started = time.monotonic()
    client.predict(many, name="colours")
    whole = time.monotonic() - started
    running = client.start_predict(many, name="colours", seconds=whole / 20)
    with pytest.raises(grpc.RpcError) as caught:
        running.result()
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    started = time.monotonic()
    client.predict(one, name="colours")
    assert time.monotonic() - started < whole / 2


def test_no_row_begins_after_the_last_caller_left() -> None:
    """Of many rows that threads share, only those that had begun are finished."""
    token, begun = CancellationToken(), []

    def row(number: int) -> None:
        begun.append(number)
        if number == 3:
            token.cancel()

    with pytest.raises(CallCancelledError):
        RowThreads(1).map(row, range(100), [token])
    assert begun == [0, 1, 2, 3]


def test_requests_of_many_rows_take_turns() -> None:
    """A second request does not wait until all rows of a first one are done."""
    threads, first_began, second_done = RowThreads(1), threading.Event(), threading.Event()
    begun: list[str] = []

    def slow(_: int) -> None:
        begun.append("first")
        first_began.set()
        second_done.wait(0.05)

    def fast(_: int) -> None:
        begun.append("second")

    first = threading.Thread(target=threads.map, args=(slow, range(40)))
    first.start()
    assert first_began.wait(30)
    threads.map(fast, range(2))
    second_done.set()
    first.join()
    assert begun.index("second") < 10


def test_a_failing_row_ends_the_request() -> None:
    """Rows that wait are not begun once one of the request has failed."""
    begun = []

    def row(number: int) -> None:
        begun.append(number)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RowThreads(1).map(row, range(100))
    assert len(begun) < 4


def test_a_batch_leaves_out_callers_that_left() -> None:
    """The row of a caller that left is in no run, and the others of its batch are answered."""
    graph, gone, there = Halves(), CancellationToken(), CancellationToken()
    gone.cancel()
    calls = [_waited_for(call(2.0), there), _waited_for(call(4.0), gone), call(6.0)]
    first, second, third = run_batch(graph.call, calls, ())
    assert graph.rows == [[2.0, 6.0]]
    assert not isinstance(first, Exception)
    assert not isinstance(third, Exception)
    assert (first["y"].tolist(), third["y"].tolist()) == ([1.0], [3.0])
    assert isinstance(second, CallCancelledError)


def test_a_shared_run_is_wanted_as_long_as_one_caller_waits() -> None:
    """A run for two callers ends early only when both have left, and one that nobody can cancel never does."""
    one, other = CancellationToken(), CancellationToken()
    both = merged([_waited_for(call(2.0), one), _waited_for(call(4.0), other)], 2)
    one.cancel()
    assert is_wanted(both.tokens)
    other.cancel()
    assert not is_wanted(both.tokens)
    assert is_wanted(merged([_waited_for(call(2.0), one), call(4.0)], 2).tokens)


def test_who_asks_late_is_told_at_once() -> None:
    """A callback is called when the token is cancelled, or at once where it was; a forgotten one never is."""
    token = CancellationToken()
    called: list[str] = []
    first, second, third = (functools.partial(called.append, name) for name in ("first", "second", "third"))
    token.on_cancel(first)
    token.on_cancel(second)
    token.forget(second)
    token.cancel()
    token.on_cancel(third)
    assert called == ["first", "third"]


def _waited_for(made: Any, token: CancellationToken) -> Any:
    return replace(made, tokens=[token])
