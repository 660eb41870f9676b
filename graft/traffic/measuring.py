"""One load on a service, and what that cost the processes of the service."""

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from graft.traffic.clients import Load
from graft.traffic.process_tree import ProcessTree, machine_cpu_seconds

SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Round:
    """One load of a few seconds. `cpu` is in processor seconds per predicted image, by process of the service.

    `others` is how many processors all else on the machine took meanwhile, the load generator left out.
    """

    load: Load
    cpu: dict[str, float]
    others: float = 0.0

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.load.per_second

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds of the whole process tree for an image."""
        return sum(self.cpu.values()) * 1e3

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return percentile_ms(self.load.latencies, 50)


class CostMeter:
    """What processes spend from now on."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._before, self._all_before = tree.cpu_by_process(), machine_cpu_seconds()

    def read(self, load: Load) -> Round:
        """Return a load that has ended with its cost."""
        after = self._tree.cpu_by_process()
        spent = {name: max(seconds - self._before.get(name, 0.0), 0.0) for name, seconds in after.items()}
        others = machine_cpu_seconds() - self._all_before - sum(spent.values()) - load.generator
        images = max(len(load.latencies), 1)
        each = {name: seconds / images for name, seconds in spent.items()}
        return Round(load, each, max(others, 0.0) / load.seconds if load.seconds else 0.0)


class MemoryPeak:
    """The most memory that processes held together, looked at twice a second."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._most = tree.summed_mb()

    def note(self) -> None:
        """Look again; it takes 50 us a process."""
        self._most = max(self._most, self._tree.summed_mb())

    def peak_mb(self) -> float:
        """Return the peak in MB (10^6); what processes share is counted once, and is taken to be as much as now."""
        self._tree.processes()
        self.note()
        shared = self._tree.summed_mb() - self._tree.resident_mb()
        return self._most - max(shared, 0.0)


def run_round(tree: ProcessTree, send: Callable[[], Load]) -> Round:
    """Put a load on a service, and return what that cost its processes."""
    meter = CostMeter(tree)
    return meter.read(send())


def run_load(loop: Coroutine[Any, Any, Load], on_sample: Callable[[], None] = lambda: None) -> None:
    """Run a load to its end, on uvloop where that is installed: a request then costs the generator half.

    `on_sample` is called twice a second, between requests. What was counted is in the load, also after Ctrl-C.
    """
    factory = importlib.import_module("uvloop").new_event_loop if importlib.util.find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_sampled(loop, on_sample))


async def _sampled(loop: Coroutine[Any, Any, Load], on_sample: Callable[[], None]) -> None:
    async def sample() -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            on_sample()

    sampling = asyncio.create_task(sample())
    try:
        await loop
    finally:
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling


def percentile_ms(latencies: Sequence[float], share: float) -> float:
    """Return the percentile of latencies in seconds as milliseconds, interpolated; NaN without latencies."""
    if not latencies:
        return float("nan")
    ordered = sorted(latencies)
    place = (len(ordered) - 1) * share / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return (ordered[below] + (ordered[above] - ordered[below]) * (place - below)) * 1e3
