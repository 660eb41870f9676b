"""Requests of more rows than a batch may have."""

import asyncio

import pytest

from modelserver.batching.batcher import Batcher
from modelserver.batching.parameters import BatchParameters
from modelserver.errors import BadInputError, QueueFullError
from tests.modelserver.halving_graph import Halves, call, responses, until_started, with_batcher


def test_a_large_request_runs_in_pieces() -> None:
    """Where splitting is on, a request of more rows than a batch is split and its answer put together."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=8, max_execution_batch_size=3)
    assert with_batcher(parameters, lambda batcher: responses(batcher, graph, [call(*range(8))])) == [
        [x / 2 for x in range(8)]
    ]
    assert sorted(graph.rows) == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_a_large_request_fails_as_a_whole() -> None:
    """One refused row refuses the request it is in, also where this runs in pieces, and no other."""
    graph = Halves()
    parameters = BatchParameters(max_batch_size=8, max_execution_batch_size=3)
    calls = [call(2, 4, 6, 8, 10, 12, 13), call(4)]
    guilty, other = with_batcher(parameters, lambda batcher: responses(batcher, graph, calls))
    assert isinstance(guilty, BadInputError)
    assert other == [2]


def test_a_large_request_that_does_not_fit_the_queue_leaves_nothing_in_it() -> None:
    """A request that is refused for its last piece takes the first ones back."""
    graph = Halves()

    async def scenario(batcher: Batcher) -> None:
        graph.free.clear()
        running = asyncio.create_task(batcher.run(graph, call(2)))
        await until_started(graph)
        with pytest.raises(QueueFullError):
            await batcher.run(graph, call(4, 6, 8))
        graph.free.set()
        await running

    parameters = BatchParameters(
        max_batch_size=8, max_execution_batch_size=1, max_enqueued_batches=2, num_batch_threads=1
    )
    with_batcher(parameters, scenario)
    assert graph.rows == [[2]]
