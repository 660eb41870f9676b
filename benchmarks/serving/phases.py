"""What `bench_serving` does one after the other: closed loops, open loops, a bad neighbour, engines in a loop."""

import asyncio
import itertools
import os
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import uvloop
from rich.console import Console

from benchmarks.serving.rounds import Measured
from benchmarks.serving.systems import Called, EngineLoop, System
from graft.traffic.clients import Load, closed_loop, open_loop, poisson_arrivals
from graft.traffic.connection import Endpoint
from graft.traffic.measuring import Round, run_round

CLIENTS = (1, 8, 32)
SHARES = (0.5, 0.8)
GOOD = 7
_SEED = 1

Loads = dict[tuple[str, int | float], Measured]
"""Rounds by the name of the system and the number of clients, or the share of the capacity in an open loop."""


class Progress:
    """Says on one line each what was done, and when."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.perf_counter()

    def say(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        self._console.print(f"{time.perf_counter() - self._began:4.0f} s  {text}")


@dataclass(frozen=True)
class Plan:
    """How long each load lasts, how often all take turns, and what is sent."""

    images: Sequence[bytes]
    seconds: float
    rounds: int
    progress: Progress


def measure_closed(systems: Sequence[System], loops: Sequence[EngineLoop], plan: Plan) -> tuple[Loads, "Engines"]:
    """Let all systems and engines take turns; every client sends its next request as soon as it has a response."""
    loads: Loads = {(system.name, clients): Measured() for clients in CLIENTS for system in systems}
    engines = Engines(loops)
    for number in range(1, plan.rounds + 1):
        engines.call_each(plan)
        for clients in CLIENTS:
            for system in systems:
                requests = itertools.cycle(system.requests(plan.images))
                seen = _round(system, closed_loop(system.endpoint, requests, clients, plan.seconds))
                loads[system.name, clients].rounds.append(seen)
            clients_said = f"{clients} client{'s' * (clients > 1)}"
            plan.progress.say(f"round {number} of {plan.rounds}, {clients_said}: {_said(systems, loads, clients)}")
    return loads, engines


@dataclass
class Footprint:
    """The cost of running a service: seconds of each start, and megabytes after the first response and under load."""

    starts: list[float]
    first_mb: float
    busy_mb: float = 0.0
    busy_mb_by_process: dict[str, float] = field(default_factory=dict)

    def note(self, system: System) -> None:
        """Measure the memory again, and keep the maximum."""
        if (seen := system.tree.resident_mb()) > self.busy_mb:
            self.busy_mb, self.busy_mb_by_process = seen, system.tree.resident_mb_by_process()


def warm_up(system: System, plan: Plan) -> None:
    """Send requests from one client, then from many, for a moment."""
    for clients in (1, max(CLIENTS)):
        requests = itertools.cycle(system.requests(plan.images))
        uvloop.run(closed_loop(system.endpoint, requests, clients, plan.seconds / 2))


def measure_open(systems: Sequence[System], capacities: Mapping[str, float], plan: Plan) -> Loads:
    """Send requests in an open loop, at shares of each system's capacity; the same arrivals for both in a round."""
    loads: Loads = {(system.name, share): Measured() for share in SHARES for system in systems}
    for number in range(1, plan.rounds + 1):
        for share in SHARES:
            for system in systems:
                due = poisson_arrivals(share * capacities[system.name], plan.seconds, _SEED + number)
                requests = itertools.cycle(system.requests(plan.images))
                loads[system.name, share].rounds.append(_round(system, open_loop(system.endpoint, requests, due)))
            plan.progress.say(f"round {number} of {plan.rounds}, open at {share:.0%}: {_said(systems, loads, share)}")
    return loads


def capacities_of(systems: Sequence[System], loads: Loads) -> dict[str, float]:
    """Return the highest rate of each system in closed loops, in images a second."""
    return {system.name: max(loads[system.name, clients].rate for clients in CLIENTS) for system in systems}


@dataclass
class Neighbours:
    """Results of seven good clients, alone and beside an eighth; and of the eighth."""

    alone: Measured = field(default_factory=Measured)
    one_more: Measured = field(default_factory=Measured)
    junk_in_step: Measured = field(default_factory=Measured)
    junk_unpaused: Measured = field(default_factory=Measured)
    junk: Measured = field(default_factory=Measured)


def measure_neighbours(system: System, junk: Sequence[bytes], plan: Plan) -> Neighbours:
    """Run seven good clients alone, beside one more good client, and beside one that sends junk.

    The client that sends junk does so once for every seven responses of the others, as an eighth client with images
    would; and without pause, which takes as much of the machine as it can get.
    """
    seen = Neighbours()
    broken = itertools.cycle(system.requests(junk))
    for number in range(1, plan.rounds + 1):
        good = itertools.cycle(system.requests(plan.images))
        seen.alone.rounds.append(_round(system, closed_loop(system.endpoint, good, GOOD, plan.seconds)))
        for into, others, in_step in (
            (seen.one_more, good, False),
            (seen.junk_in_step, broken, True),
            (seen.junk_unpaused, broken, False),
        ):
            eighth: list[Load] = []
            loop = _beside(system.endpoint, (good, others), plan.seconds, eighth, in_step=in_step)
            into.rounds.append(_round(system, loop))
            if others is broken:
                seen.junk.rounds.append(Round(eighth[0], {}))
        all_four = (seen.alone, seen.one_more, seen.junk_in_step, seen.junk_unpaused)
        p50 = ", ".join(f"{each.rounds[-1].p50_ms:.0f}" for each in all_four)
        what = "p50 of 7 clients alone, beside a good one, beside junk in step, beside junk without pause"
        plan.progress.say(f"round {number} of {plan.rounds}, {what}: {p50} ms")
    return seen


async def _beside(
    endpoint: Endpoint,
    requests: tuple[Iterator[bytes], Iterator[bytes]],
    seconds: float,
    eighth: list[Load],
    *,
    in_step: bool,
) -> Load:
    """Run seven good clients beside an eighth, whose load goes into `eighth`; return theirs."""
    good, others = requests
    turns = asyncio.Semaphore(0)
    responses = itertools.count(1)

    def replied() -> None:
        if next(responses) % GOOD == 0:
            turns.release()

    async def seven() -> Load:
        load = await closed_loop(endpoint, good, GOOD, seconds, after_each=replied)
        turns.release()  # or the eighth would wait for ever
        return load

    before_each = turns.acquire if in_step else None
    load, other = await asyncio.gather(seven(), closed_loop(endpoint, others, 1, seconds, before_each=before_each))
    eighth.append(other)
    return load


Way = tuple[str, int, int]
"""A signature, the images in a call and the threads that call."""


class Engines:
    """What each engine did in a loop, round by round."""

    def __init__(self, loops: Sequence[EngineLoop]) -> None:
        cores = os.cpu_count() or 1
        whole = [("serving_default", 1, 1), ("serving_default", 1, cores), ("serving_default", 8, cores)]
        ways: list[Way] = [*whole, ("pixels_of_image", 1, 1), ("serving_pixels", 1, 1)]
        self.missing = [loop.missing for loop in loops if loop.missing]
        self._loops = {loop.name: loop for loop in loops if not loop.missing}
        self.calls: dict[tuple[str, Way], list[Called]] = {(name, way): [] for name in self._loops for way in ways}

    def call_each(self, plan: Plan) -> None:
        """Call each engine in each way for half as long as a load lasts."""
        for (name, way), called in self.calls.items():
            if took := self._loops[name].call(*way, plan.seconds / 2):
                called.append(took)

    def likely(self, requested: str) -> str:
        """Return the engine that `graft up` runs: the requested one, and for `auto` LiteRT if it is available."""
        return requested if requested != "auto" else ("litert" if "litert" in self._loops else "tensorflow")

    def alone_ms(self, engine: str, signature: str) -> float | None:
        """Return the milliseconds that an engine takes for one image on one thread, if it was measured."""
        called = self.calls.get((engine, (signature, 1, 1)))
        return median(each.median_seconds for each in called) * 1e3 if called else None


def _round(system: System, loop: Coroutine[Any, Any, Load]) -> Round:
    return run_round(system.tree, lambda: uvloop.run(loop))


def _said(systems: Sequence[System], loads: Loads, key: float) -> str:
    last = {system.name: loads[system.name, key].rounds[-1] for system in systems}
    said = (
        f"{name} {each.rate:.0f}/s, {each.cpu_ms:.1f} ms CPU, p50 {each.p50_ms:.0f} ms" for name, each in last.items()
    )
    return "; ".join(said)
