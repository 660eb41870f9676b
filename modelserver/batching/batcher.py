"""Requests of different clients in one run of the graph."""

import asyncio
import functools
import os
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from modelserver.batching.parameters import BatchParameters
from modelserver.batching.runs import BatchedResult, run_alone, run_batch
from modelserver.errors import BadInputError, BatchedOutputError, QueueFullError
from modelserver.model.calls import GraphCall, GraphOutputs, joined
from modelserver.model.spans import Waiting


class Graph(Protocol):
    """A version of a model, as far as batches need it; equal only to itself."""

    def call(self, call: GraphCall) -> GraphOutputs:
        """Run one signature; called from several threads at once."""


@dataclass(frozen=True)
class _Task:
    call: GraphCall
    outputs: "asyncio.Future[GraphOutputs]"
    waiting: Waiting


@dataclass(eq=False)
class _Batch:
    graph: Graph
    tasks: list[_Task] = field(default_factory=list)
    rows: int = 0
    is_due: bool = False
    """Whether it starts as soon as a thread is free; until then, more may join."""

    def drop_abandoned(self) -> None:
        """Make room of what nobody waits for any more."""
        self.tasks = [task for task in self.tasks if not task.outputs.done()]
        self.rows = sum(task.call.rows() for task in self.tasks)


@dataclass(eq=False)
class _Queue:
    """The batches of one signature of one version."""

    waiting: list[_Batch] = field(default_factory=list)
    """In the order of their first requests."""
    joinable: dict[Hashable, _Batch] = field(default_factory=dict)
    """The youngest batch that waits, by the shapes of its rows."""

    def drop_abandoned(self) -> None:
        """Make room of what nobody waits for any more."""
        for batch in self.waiting:
            batch.drop_abandoned()
        self.waiting = [batch for batch in self.waiting if batch.tasks]
        self.joinable = {shapes: batch for shapes, batch in self.joinable.items() if batch.tasks}


class Batcher:
    """Merges calls of one signature of one version, whose rows have the same shapes, and runs them on batch threads.

    A batch starts when it has `max_batch_size` rows or its first request has waited for `batch_timeout_micros` (or,
    if it is not alone, for `gather_micros`), as soon as one of the `num_batch_threads` is free; others may join until
    then. What nobody waits for any more never starts. Free threads take the signatures in turn. Rules and texts are
    those of TensorFlow Serving, except that it fails a whole batch where shapes of rows differ.

    All methods belong to one event loop, except `use`, which any thread may call.
    """

    def __init__(self, parameters: BatchParameters, alone: Executor) -> None:
        self.parameters = parameters
        self._alone = alone  # for what cannot be merged
        threads = max(parameters.num_batch_threads, os.cpu_count() or 1)  # there may be more of them later
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=parameters.thread_pool_name)
        self._busy = 0
        self._last_was_shared = False
        self._queues: OrderedDict[Hashable, _Queue] = OrderedDict()

    def use(self, parameters: BatchParameters) -> None:
        """Go on with other parameters."""
        self.parameters = parameters

    def close(self) -> None:
        """Let the threads end; results of what still waits or runs are no longer needed."""
        self._queues.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, graph: Graph, call: GraphCall) -> GraphOutputs:
        """Return the call's outputs, from a run of the graph that it may share with others.

        A call without rows is run by itself, and so is one with an output filter if it cannot be merged. One of more
        rows than a batch is run in pieces.

        Raises:
            BadInputError: the inputs do not share their first dimension, or have more rows than a batch.
            QueueFullError: too many batches of this signature are waiting.
            ServingError: the graph refused this call, or failed.
        """
        loop = asyncio.get_running_loop()
        try:
            rows = self._checked_rows(call)
        except BadInputError:
            if not call.filtered:
                raise
            return await loop.run_in_executor(self._alone, graph.call, call)
        if rows == 0:
            return await loop.run_in_executor(self._alone, run_alone, graph.call, call)
        if rows <= self.parameters.most_rows:
            return await self._enqueue(graph, call)
        try:
            return await self._run_in_pieces(graph, call)
        except BatchedOutputError:
            if not call.filtered:
                raise
            return await loop.run_in_executor(self._alone, graph.call, call)

    async def _run_in_pieces(self, graph: Graph, call: GraphCall) -> GraphOutputs:
        futures: list[asyncio.Future[GraphOutputs]] = []
        try:
            futures.extend(self._enqueue(graph, piece) for piece in call.pieces(self.parameters.most_rows))
            return joined(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()  # where one failed, the others are not needed

    def _checked_rows(self, call: GraphCall) -> int:
        rows, most = call.rows(), self.parameters.max_batch_size
        if rows > most:
            raise BadInputError(f"Task size {rows} is larger than maximum input batch size {most}")
        return rows

    def _enqueue(self, graph: Graph, call: GraphCall) -> "asyncio.Future[GraphOutputs]":
        queue = self._queues.setdefault((graph, call.signature_name), _Queue())
        rows, most = call.rows(), self.parameters.most_rows
        batch = queue.joinable.get(call.inner_shapes)
        if batch and batch.rows + rows > most:
            batch.drop_abandoned()
        if batch is None or batch.rows + rows > most:
            batch = self._add_batch(queue, graph, call.inner_shapes)
        task = _Task(call, asyncio.get_running_loop().create_future(), Waiting(call.spans))
        if call.spans:
            task.outputs.add_done_callback(task.waiting.end)  # where nobody waits for it any more
        batch.tasks.append(task)
        batch.rows += rows
        if batch.rows >= most:
            self._set_due(batch)
        return task.outputs

    def _add_batch(self, queue: _Queue, graph: Graph, shapes: Hashable) -> _Batch:
        most = self.parameters.max_enqueued_batches
        if len(queue.waiting) >= most:
            queue.drop_abandoned()
        if (count := len(queue.waiting)) >= most:
            raise QueueFullError(
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{count} batches enqueued and max_enqueued_batches is {most}"
            )
        full = queue.joinable.get(shapes)
        batch = queue.joinable[shapes] = _Batch(graph)
        queue.waiting.append(batch)
        if full:
            self._set_due(full)
        loop = asyncio.get_running_loop()
        if wait := self._wait_micros():
            loop.call_later(wait / 1e6, self._set_due, batch)
        else:
            loop.call_soon(self._set_due, batch)  # requests that arrived together stay together
        return batch

    def _wait_micros(self) -> int:
        """Return how long the first request of a batch waits for others.

        Clients that got their responses together are likely to send their next requests together.
        """
        not_alone = self._busy > 0 or self._last_was_shared
        return self.parameters.batch_timeout_micros or (self.parameters.gather_micros if not_alone else 0)

    def _set_due(self, batch: _Batch) -> None:
        batch.is_due = True
        self._start_batches()

    def _start_batches(self) -> None:
        """Give what is due to the threads that are free."""
        while self._busy < self.parameters.num_batch_threads and (batch := self._take_due()):
            batch.drop_abandoned()
            if batch.tasks:
                self._start(batch.graph, batch.tasks)

    def _take_due(self) -> _Batch | None:
        for key, queue in self._queues.items():
            for position, batch in enumerate(queue.waiting):
                if batch.is_due:
                    del queue.waiting[position]
                    queue.joinable = {shapes: other for shapes, other in queue.joinable.items() if other is not batch}
                    self._queues.move_to_end(key)  # it is the turn of the others
                    if not queue.waiting:
                        del self._queues[key]  # or a version that is no longer served would be kept in memory
                    return batch
        return None

    def _start(self, graph: Graph, tasks: Sequence[_Task]) -> None:
        self._busy += 1
        self._last_was_shared = len(tasks) > 1
        running = asyncio.get_running_loop().run_in_executor(
            self._threads, _run, graph, tasks, self.parameters.allowed_batch_sizes
        )
        running.add_done_callback(functools.partial(self._finish, tasks))

    def _finish(self, tasks: Sequence[_Task], running: "asyncio.Future[list[BatchedResult]]") -> None:
        self._busy -= 1
        self._start_batches()
        if running.cancelled():
            for task in tasks:
                task.outputs.cancel()
            return
        error = running.exception()
        results = [error] * len(tasks) if error else running.result()
        for task, result in zip(tasks, results, strict=True):
            _settle(task.outputs, result)


def _run(graph: Graph, tasks: Sequence[_Task], allowed_sizes: Sequence[int]) -> list[BatchedResult]:
    for task in tasks:
        task.waiting.end()
    return run_batch(graph.call, [task.call for task in tasks], allowed_sizes)


def _settle(future: "asyncio.Future[GraphOutputs]", result: BatchedResult | BaseException) -> None:
    if future.done():  # cancelled meanwhile
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
