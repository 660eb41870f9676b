"""A graph that tells what it was asked, for tests of what is merged with what."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from modelserver.batching.batcher import Batcher
from modelserver.batching.parameters import BatchParameters
from modelserver.errors import BadInputError
from modelserver.model.calls import GraphCall, GraphOutputs

_T = TypeVar("_T")


class Halves:
    """A graph: `y` is x / 2, `count` the number of rows as a scalar; refuses a batch with a row of 13.

    Its runs wait while `held`, and `shapes` has what x was in each.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.rows: list[list[Any]] = []
        self.free = threading.Event()
        self.free.set()
        self.started = threading.Semaphore(0)

    def call(self, call: GraphCall) -> GraphOutputs:
        """Answer, or raise BadInputError."""
        x = call.arguments[0]
        self.shapes.append(x.shape)
        self.rows.append(x.ravel().tolist())
        self.started.release()
        assert self.free.wait(30)
        if np.any(x == 13):
            raise BadInputError("13 is refused")
        if np.any(x == 14):
            raise ZeroDivisionError
        every = {"y": x / 2, "count": np.array(x.size)}
        return {name: every[name] for name in call.outputs}


def call(*rows: Any, outputs: Sequence[str] = ("y",), signature: str = "serving_default") -> GraphCall:
    """Return a call with one input; what asks for `y` alone counts as filtered where `count` could be had too."""
    return GraphCall(signature, (np.array(rows, np.float32),), tuple(outputs))


def with_batcher(parameters: BatchParameters, scenario: Callable[[Batcher], Awaitable[_T]]) -> _T:
    """Run a scenario on an event loop of its own and return its result."""

    async def run() -> _T:
        with ThreadPoolExecutor(2) as alone:
            batcher = Batcher(parameters, alone)
            try:
                return await asyncio.wait_for(scenario(batcher), 30)
            finally:
                batcher.close()

    return asyncio.run(run())


async def responses(batcher: Batcher, graph: Halves, calls: Sequence[GraphCall]) -> list[Any]:
    """Send calls together and return what each gets: its `y` as a list, or the error."""
    given = await asyncio.gather(*(batcher.run(graph, each) for each in calls), return_exceptions=True)
    return [each if isinstance(each, BaseException) else each["y"].tolist() for each in given]


async def until_started(graph: Halves) -> None:
    """Wait until one more run of the graph has begun."""
    assert await asyncio.to_thread(graph.started.acquire, timeout=30)
