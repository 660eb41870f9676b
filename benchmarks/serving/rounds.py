"""Rounds of one load against one service, and their results."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from graft.traffic.measuring import Round, percentile_ms


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


def median_ratio(ours: Measured, theirs: Measured, value: Callable[[Round], float]) -> float:
    """Return the median of the ratios round by round: what slows the machine for a while affects both in a round."""
    pairs = zip(ours.rounds, theirs.rounds, strict=True)
    return median(value(one) / value(other) for one, other in pairs)
