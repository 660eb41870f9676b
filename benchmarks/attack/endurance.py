"""Minutes of mixed traffic: whether the memory of a service is at the end what it was soon after the start."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.attack.attack import Attack, Send
from benchmarks.attack.exchange import Target
from benchmarks.attack.measuring import Watch
from benchmarks.attack.neighbours import PAUSE_SECONDS, Neighbours

SETTLED_SHARE = 0.2
"""The share of the time after which memory is expected to grow no more: two minutes of ten."""
GROWTH = 0.05
_SAMPLE_SECONDS = 1.0
_WINDOW_SHARE = 0.15
"""What is compared are medians of this share of the samples: 90 seconds of ten minutes, in which each attack has been
sent once, as those with large images need more memory than those with text."""


@dataclass(frozen=True)
class Growth:
    """Resident megabytes of a process after the first part of the time and at its end."""

    settled_mb: float
    end_mb: float

    @property
    def share(self) -> float:
        """How much the memory grew since it settled, as a share of what it was."""
        return self.end_mb / self.settled_mb - 1


async def endure(
    attacks: Sequence[Attack],
    target: Target,
    watch: Watch,
    neighbours: Neighbours,
    minutes: float,
    say: Callable[[str], None],
) -> dict[str, Growth]:
    """Run good clients beside one that sends all attacks in turn; return how the memory of each process grew."""
    sends = [attack.prepare(target) for attack in attacks]
    samples: dict[str, list[float]] = {}
    good = neighbours.start()
    attacking = asyncio.create_task(_attack_on(itertools.cycle(sends)))
    began, said = time.perf_counter(), 0
    try:
        while (passed := time.perf_counter() - began) < minutes * 60:
            for name, held in watch.resident_mb().items():
                samples.setdefault(name, []).append(held)
            if passed // 60 > said:
                said = int(passed // 60)
                say(f"{said} min: " + ", ".join(f"{name} {held[-1]:.0f} MB" for name, held in samples.items()))
            await asyncio.sleep(_SAMPLE_SECONDS)
    finally:
        attacking.cancel()
        neighbours.stop()
        await asyncio.gather(attacking, return_exceptions=True)
    load = await asyncio.wrap_future(good)
    say(f"{load.statuses.total()} good requests, {load.failed} lost")
    return {name: growth_of(held) for name, held in samples.items()}


def growth_of(samples: Sequence[float]) -> Growth:
    """Return the medians of samples at equal intervals, around a fifth of the time and at its end."""
    window = max(int(len(samples) * _WINDOW_SHARE), 1)
    settled = int(len(samples) * SETTLED_SHARE)
    return Growth(median(samples[settled : settled + window]), median(samples[-window:]))


async def _attack_on(sends: Iterator[Send]) -> None:
    for send in sends:
        await send()
        await asyncio.sleep(PAUSE_SECONDS)
