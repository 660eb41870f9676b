"""What is merged with what, when it starts, and who gets which error."""

import asyncio
from typing import Any

import numpy as np
import pytest

from modelserver.batching.batcher import Batcher
from modelserver.batching.parameters import BatchParameters
from modelserver.errors import BadInputError, BatchedOutputError, QueueFullError, ServingError
from modelserver.model.calls import GraphCall, GraphOutputs
from tests.modelserver.halving_graph import Halves, call, responses, until_started, with_batcher

FOREVER = 3_600_000_000


def test_requests_that_come_together_share_a_run() -> None:
    """Rows of several requests go through the graph at once, and each gets its own back."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=8)
    got = with_batcher(parameters, lambda batcher: responses(batcher, graph, [call(2, 4), call(6), call(8, 10, 12)]))
    assert got == [[1, 2], [3], [4, 5, 6]]
    assert graph.rows == [[2, 4, 6, 8, 10, 12]]


def test_a_full_batch_does_not_wait() -> None:
    """With an endless timeout a batch starts once it has `max_batch_size` rows."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=4, batch_timeout_micros=FOREVER)
    got = with_batcher(parameters, lambda batcher: responses(batcher, graph, [call(2, 4), call(6, 8)]))
    assert got == [[1, 2], [3, 4]]
    assert graph.shapes == [(4,)]


def test_a_batch_that_has_no_room_left_starts_without_the_next_request() -> None:
    """A request that does not fit goes into another batch, and the first starts as it is."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=4, batch_timeout_micros=FOREVER)
    got = with_batcher(
        parameters, lambda batcher: responses(batcher, graph, [call(2, 4, 6), call(8, 10), call(12, 14.5)])
    )
    assert got == [[1, 2, 3], [4, 5], [6, 7.25]]
    assert sorted(graph.shapes) == [(3,), (4,)]


def test_a_lone_request_waits_no_longer_than_the_timeout() -> None:
    """A batch that nobody joins starts after `batch_timeout_micros`, and not before."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> float:
        clock = asyncio.get_running_loop().time
        began = clock()
        await batcher.run(graph, call(2))
        return clock() - began

    seconds = with_batcher(BatchParameters(max_batch_size=4, batch_timeout_micros=50_000), scenario)
    assert 0.05 <= seconds < 10


def test_only_company_makes_a_request_wait_for_more() -> None:
    """With `gather_micros` a lone request starts at once; after a run that was shared, one waits for the others."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> None:
        await asyncio.wait_for(batcher.run(graph, call(2)), 10)
        await asyncio.wait_for(batcher.run(graph, call(4)), 10)
        batcher.use(BatchParameters(max_batch_size=2))
        await responses(batcher, graph, [call(6), call(8)])
        batcher.use(parameters)
        waiting = asyncio.create_task(batcher.run(graph, call(10)))
        await asyncio.sleep(0.02)
        assert len(graph.rows) == 3
        await asyncio.wait_for(responses(batcher, graph, [call(12)]), 10)
        await waiting

    parameters = BatchParameters(max_batch_size=2, gather_micros=FOREVER)
    with_batcher(parameters, scenario)
    assert graph.rows == [[2], [4], [6, 8], [10, 12]]


def test_requests_join_while_the_threads_are_busy() -> None:
    """What comes while every thread is busy runs together afterwards, even where no request has to wait."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> list[Any]:
        graph.free.clear()
        first = asyncio.create_task(responses(batcher, graph, [call(2)]))
        await until_started(graph)
        others = [asyncio.create_task(responses(batcher, graph, [call(x)])) for x in (4, 6, 8)]
        await asyncio.sleep(0)
        graph.free.set()
        return list(await asyncio.gather(first, *others))

    got = with_batcher(BatchParameters(max_batch_size=8, num_batch_threads=1), scenario)
    assert got == [[[1]], [[2]], [[3]], [[4]]]
    assert graph.rows == [[2], [4, 6, 8]]


def test_as_many_batches_run_at_a_time_as_there_are_threads() -> None:
    """With two threads a second batch starts beside the first, and a third does not."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> int:
        graph.free.clear()
        sent = [asyncio.create_task(batcher.run(graph, call(x))) for x in (2, 4, 6)]
        await until_started(graph)
        await until_started(graph)
        running = len(graph.rows)
        graph.free.set()
        await asyncio.gather(*sent)
        return running

    assert with_batcher(BatchParameters(max_batch_size=1, num_batch_threads=2), scenario) == 2
    assert len(graph.rows) == 3


def test_rows_of_other_shapes_and_signatures_are_kept_apart() -> None:
    """Only calls of one signature with rows of one shape share a run, where TensorFlow Serving would fail them all."""
    graph = Halves()
    calls = [call([2, 4]), call([2, 4, 6]), call([6, 8]), call([2, 4], signature="other")]
    got = with_batcher(BatchParameters(max_batch_size=8), lambda batcher: responses(batcher, graph, calls))
    assert got == [[[1, 2]], [[1, 2, 3]], [[3, 4]], [[1, 2]]]
    assert sorted(graph.shapes) == [(1, 2), (1, 3), (2, 2)]


def test_versions_are_kept_apart() -> None:
    """Two versions of a model never share a run."""
    graphs = [Halves(), Halves()]

    async def scenario(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.run(graph, call(2)) for graph in graphs))

    with_batcher(BatchParameters(max_batch_size=8), scenario)
    assert [graph.rows for graph in graphs] == [[[2]], [[2]]]


def test_a_free_thread_goes_round_the_signatures() -> None:
    """A signature with many batches that wait does not keep the other waiting until all of them are done."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> None:
        graph.free.clear()
        sent = [asyncio.create_task(batcher.run(graph, call(x))) for x in (2, 4, 6)]
        await until_started(graph)
        sent.append(asyncio.create_task(batcher.run(graph, call(8, signature="other"))))
        await asyncio.sleep(0)
        graph.free.set()
        await asyncio.gather(*sent)

    with_batcher(BatchParameters(max_batch_size=1, num_batch_threads=1), scenario)
    assert graph.rows.index([8]) < 3


def test_batches_are_padded_to_the_next_allowed_size() -> None:
    """The graph sees an allowed size, filled with a row that was sent; nobody gets the rows that were added."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    got = with_batcher(parameters, lambda batcher: responses(batcher, graph, [call(2, 4), call(6)]))
    assert got == [[1, 2], [3]]
    assert graph.rows == [[2, 4, 6, 6]]


def test_only_the_guilty_request_gets_the_error() -> None:
    """When the graph refuses a batch, its requests are run apart, and the good ones are answered."""
    graph = Halves()
    calls = [call(2), call(13), call(6, 8)]
    first, guilty, last = with_batcher(
        BatchParameters(max_batch_size=8), lambda batcher: responses(batcher, graph, calls)
    )
    assert (first, last) == ([1], [3, 4])
    assert isinstance(guilty, BadInputError)
    assert graph.rows == [[2, 13, 6, 8], [2], [13], [6, 8]]


def test_a_lone_request_that_is_refused_runs_once() -> None:
    """Where nobody else was in the batch, there is nobody to run apart from."""
    graph = Halves()
    (guilty,) = with_batcher(BatchParameters(), lambda batcher: responses(batcher, graph, [call(13)]))
    assert isinstance(guilty, BadInputError)
    assert graph.rows == [[13]]


def test_an_error_that_nobody_foresaw_reaches_every_caller() -> None:
    """A request never hangs because of a defect: all of the batch get what was raised, and the next are answered."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> list[Any]:
        return [await responses(batcher, graph, [call(2), call(14)]), await responses(batcher, graph, [call(4)])]

    (first, second), after = with_batcher(BatchParameters(max_batch_size=8, num_batch_threads=1), scenario)
    assert isinstance(first, ZeroDivisionError)
    assert isinstance(second, ZeroDivisionError)
    assert after == [[2]]


def test_a_request_without_rows_is_answered_by_itself() -> None:
    """Zero rows are neither merged nor padded, which ends TensorFlow Serving's process."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=4, batch_timeout_micros=FOREVER, allowed_batch_sizes=(2, 4))
    assert with_batcher(parameters, lambda batcher: responses(batcher, graph, [call()])) == [[]]
    assert graph.shapes == [(0,)]


def test_a_full_queue_refuses() -> None:
    """A request that needs one batch more than may wait is refused with TensorFlow Serving's text; others are not."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> tuple[list[Any], ServingError]:
        graph.free.clear()
        running = asyncio.create_task(batcher.run(graph, call(2, 4)))
        await until_started(graph)
        waiting = [asyncio.create_task(batcher.run(graph, call(x, x))) for x in (6, 8)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as caught:
            await batcher.run(graph, call(10))
        graph.free.set()
        return await asyncio.gather(running, *waiting), caught.value

    parameters = BatchParameters(max_batch_size=2, max_enqueued_batches=2, num_batch_threads=1)
    given, error = with_batcher(parameters, scenario)
    assert [each["y"].tolist() for each in given] == [[1, 2], [3, 3], [4, 4]]
    assert str(error) == (
        "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued and "
        "max_enqueued_batches is 2"
    )


def test_a_caller_that_hung_up_costs_no_run() -> None:
    """A request whose client went away while it waited is not run any more."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> None:
        graph.free.clear()
        running = asyncio.create_task(batcher.run(graph, call(2)))
        await until_started(graph)
        gone, stays = (asyncio.create_task(batcher.run(graph, call(x))) for x in (4, 6))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        graph.free.set()
        await asyncio.gather(running, stays)

    with_batcher(BatchParameters(max_batch_size=8, num_batch_threads=1), scenario)
    assert graph.rows == [[2], [6]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([np.float32(1)], "Batching Run() input tensors must have at least one dimension"),
        ([np.zeros(2), np.zeros(3)], "Batching Run() input tensors must have equal 0th-dimension size"),
        ([np.zeros((9, 1))], "Task size 9 is larger than maximum input batch size 8"),
        ([], "Batching Run() must have at least one input tensor"),
    ],
    ids=["scalar", "different", "large", "none"],
)
def test_what_cannot_be_merged_is_refused(arguments: list[Any], text: str) -> None:
    """Inputs without a common first dimension, or with too many rows, are refused with TensorFlow Serving's text."""
    called = GraphCall("serving_default", tuple(np.asarray(each) for each in arguments), ("y",))
    with pytest.raises(BadInputError) as caught:
        with_batcher(BatchParameters(max_batch_size=8), lambda batcher: batcher.run(Halves(), called))
    assert str(caught.value) == text


def test_an_output_without_rows_is_refused() -> None:
    """An output that cannot be split among requests is refused, to one request as to several."""
    calls = [call(2, outputs=["y", "count"]), call(4, outputs=["y", "count"])]
    parameters = BatchParameters(max_batch_size=8)
    together = with_batcher(parameters, lambda batcher: responses(batcher, Halves(), calls))
    alone = with_batcher(parameters, lambda batcher: responses(batcher, Halves(), calls[:1]))
    for error in (*together, *alone):
        assert isinstance(error, BatchedOutputError)
        assert str(error) == "Batched output tensor has 0 dimensions"


def test_a_filter_leaves_out_what_cannot_be_merged() -> None:
    """A request for some of the outputs is answered as without batching where it cannot be merged."""
    graph = Halves()
    scalar = GraphCall("serving_default", (np.array(6, np.float32),), ("y",), filtered=True)
    count = GraphCall("serving_default", (np.array([2, 4], np.float32),), ("count",), filtered=True)
    large = GraphCall("serving_default", (np.arange(9, dtype=np.float32),), ("count",), filtered=True)

    async def scenario(batcher: Batcher) -> list[GraphOutputs]:
        return [await batcher.run(graph, each) for each in (scalar, count, large)]

    halved, counted, many = with_batcher(BatchParameters(max_batch_size=8), scenario)
    assert halved["y"] == 3
    assert [int(each["count"]) for each in (counted, many)] == [2, 9]


def test_filters_do_not_keep_requests_apart() -> None:
    """Requests for different outputs share a run, and each gets those it asked for."""

    class Two(Halves):
        def call(self, call: GraphCall) -> GraphOutputs:
            every = {"y": call.arguments[0], "negative": -call.arguments[0]}
            self.rows.append(list(call.outputs))
            return {name: every[name] for name in call.outputs}

    graph = Two()
    calls = [call(2, outputs=["y"]), call(4, outputs=["negative"])]

    async def scenario(batcher: Batcher) -> list[GraphOutputs]:
        return await asyncio.gather(*(batcher.run(graph, each) for each in calls))

    assert with_batcher(BatchParameters(max_batch_size=8), scenario) == [{"y": [2]}, {"negative": [-4]}]
    assert graph.rows == [["y", "negative"]]


def test_other_parameters_may_be_used_at_any_time() -> None:
    """What a measurement chose holds for the requests after it."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> list[Any]:
        batcher.use(BatchParameters(max_batch_size=2))
        return await responses(batcher, graph, [call(2), call(4), call(6), call(8)])

    assert with_batcher(BatchParameters(max_batch_size=1), scenario) == [[1], [2], [3], [4]]
    assert sorted(graph.rows) == [[2, 4], [6, 8]]


def test_nothing_is_kept_of_a_version_that_has_no_requests() -> None:
    """A version that is no longer served can leave memory: no queue holds on to it."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> int:
        await responses(batcher, graph, [call(2), call([4, 6])])
        return len(batcher._queues)

    assert with_batcher(BatchParameters(max_batch_size=2), scenario) == 0
