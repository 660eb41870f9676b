"""Rounds of one load against one service, and their results."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks.load.http_clients import Load
from benchmarks.load.process_tree import ProcessTree, machine_cpu_seconds


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


@dataclass
class Measured:
    """All rounds of one load against one service."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Images a second, the median of the rounds."""
        return median(each.rate for each in self.rounds)

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds an image, the median of the rounds."""
        return median(each.cpu_ms for each in self.rounds)

    @property
    def failed(self) -> int:
        """Requests with another status than 200."""
        return sum(each.load.failed for each in self.rounds)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came; 0 if the connection was lost."""
        return sum((each.load.statuses for each in self.rounds), Counter())

    def percentile_ms(self, share: float) -> float:
        """Return a percentile of the latencies of all rounds together, in milliseconds."""
        return percentile_ms([latency for each in self.rounds for latency in each.load.latencies], share)

    def cpu_ms_by_process(self) -> dict[str, float]:
        """Return the processor milliseconds an image of each process, medians of the rounds."""
        names = dict.fromkeys(name for each in self.rounds for name in each.cpu)
        return {name: median(each.cpu.get(name, 0.0) for each in self.rounds) * 1e3 for name in names}

    def generator_ms(self) -> float:
        """Return the processor milliseconds that the load generator spent on a request."""
        return median(each.load.generator / each.load.statuses.total() for each in self.rounds) * 1e3


def percentile_ms(latencies: Sequence[float], share: float) -> float:
    """Return the percentile of latencies in seconds as milliseconds, interpolated; NaN without latencies."""
    return float(np.percentile(latencies, share)) * 1e3 if latencies else float("nan")


def run_round(tree: ProcessTree, send: Callable[[], Load]) -> Round:
    """Put a load on a service, and return what that cost its processes."""
    before, all_before = tree.cpu_by_process(), machine_cpu_seconds()
    load = send()
    spent = {name: after - before.get(name, 0.0) for name, after in tree.cpu_by_process().items()}
    others = machine_cpu_seconds() - all_before - sum(spent.values()) - load.generator
    replied = max(len(load.latencies), 1)
    return Round(load, {name: seconds / replied for name, seconds in spent.items()}, max(others, 0.0) / load.seconds)


def median_ratio(ours: Measured, theirs: Measured, value: Callable[[Round], float]) -> float:
    """Return the median of the ratios round by round: what slows the machine for a while affects both in a round."""
    pairs = zip(ours.rounds, theirs.rounds, strict=True)
    return median(value(one) / value(other) for one, other in pairs)
