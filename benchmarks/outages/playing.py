"""Plays one scenario: start, wait under good traffic, break, wait, repair, and wait until the alerts are over."""

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.outages.clock import seconds
from benchmarks.outages.judging import ENDS_WITHIN
from benchmarks.outages.prometheus import Watcher, watching
from benchmarks.outages.record import Record, Say
from benchmarks.outages.scenario import Outage, Played, Scenario
from benchmarks.outages.stage import Stage
from benchmarks.serving.systems import SystemFailedError

SETTLES = "10m"
"""Good traffic before the outage: both windows of five minutes are full."""

_LOOK_AGAIN_SECONDS = 0.2
_TARGETS_SECONDS = 60.0
_EVALUATED_SECONDS = 2.0
"""Prometheus finds its targets only after five seconds, for which no gateway seems to be there."""


@dataclass(frozen=True)
class Cast:
    """What all scenarios share: a folder, a published version, images, images a second, and the factor of the clock."""

    folder: Path
    name: str
    version: Path
    images: Sequence[bytes]
    rate: float
    factor: float


def play(scenario: Scenario, cast: Cast, say: Say) -> Played:
    """Play a scenario to its end, and return what came of it; whatever it started has ended then.

    Raises:
        SystemFailedError: a process of the service does not start.
        PrometheusError: Prometheus does not start.
    """
    folder = cast.folder / scenario.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        rate = scenario.share * cast.rate
        stage = Stage(stack, folder, cast.name, cast.version, cast.images, rate, cast.factor)
        outage = scenario.begin(stage)
        watcher = stack.enter_context(watching(folder / "prometheus", outage, rate, cast.factor))
        record = Record(watcher, say)
        _wait_for_targets(watcher, outage)
        record.follow(seconds(SETTLES) / cast.factor)
        return _break_and_repair(scenario, outage, record, cast.factor)


def _break_and_repair(scenario: Scenario, outage: Outage, record: Record, factor: float) -> Played:
    record.begins()
    outage.statuses.clear()
    record.counts_from(outage.break_it())
    record.follow(scenario.own_seconds + seconds(scenario.lasts) / factor)
    statuses, errors = Counter(outage.statuses), record.watcher.rule_errors()
    outage.repair()
    repaired = record.now()
    staying = {each.kind for each in scenario.may if each.stays}
    record.follow(seconds(ENDS_WITHIN) / factor, until=lambda: record.is_over(staying))
    return Played(record.fired(), outage.facts, repaired, statuses, errors)


def _wait_for_targets(watcher: Watcher, outage: Outage) -> None:
    """Wait until everything is scraped; the outage counts from later on.

    Raises:
        SystemFailedError: a target cannot be scraped.
    """
    wanted = sum(map(len, outage.targets.values()))
    end = time.monotonic() + _TARGETS_SECONDS
    while watcher.targets_up() < wanted:
        if time.monotonic() > end:
            raise SystemFailedError(f"Prometheus can scrape {watcher.targets_up()} of {wanted} targets.")
        time.sleep(_LOOK_AGAIN_SECONDS)
    time.sleep(_EVALUATED_SECONDS)
