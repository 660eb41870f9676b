"""Ratios round by round, percentiles, and whether what has to hold does."""

import math
from collections import Counter

import pytest

from benchmarks.serving.bounds import Bound, bounds_table
from benchmarks.serving.phases import Footprint, Loads, Neighbours
from benchmarks.serving.report import OURS, THEIRS, bounds_of
from benchmarks.serving.rounds import Measured, median_ratio
from graft.traffic.clients import Load
from graft.traffic.measuring import Round, percentile_ms


def measured(*p50_seconds: float, cpu: float = 0.01, rate: int = 50, failed: int = 0) -> Measured:
    """Make rounds of a second each with such median latencies."""
    statuses = Counter({200: rate, 503: failed})
    return Measured([Round(Load([p50] * rate, statuses, [], 1.0, 0.1), {"it": cpu}) for p50 in p50_seconds])


def loads(ours: Measured, theirs: Measured) -> Loads:
    """Make the same rounds for every number of clients."""
    return {(name, clients): each for clients in (1, 8, 32) for name, each in ((OURS, ours), (THEIRS, theirs))}


def neighbours(beside_junk: Measured) -> Neighbours:
    """Make rounds in which seven clients had 100 ms beside a good one."""
    return Neighbours(measured(0.09), measured(0.1), beside_junk, beside_junk, measured(0.001))


GOOD = Footprint([7.0, 6.0, 20.0], 400, 700)


def holding(*given: object) -> dict[str, bool]:
    """Return which bounds hold, by what they are about."""
    return {bound.what: bound.holds for bound in bounds_of(*given)}  # type: ignore[arg-type]


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    """A round in which the machine was slow for both changes no ratio, and medians of each alone would."""
    ours, theirs = measured(0.010, 0.040, 0.012), measured(0.020, 0.080, 0.024)
    assert median_ratio(ours, theirs, lambda each: each.p50_ms) == pytest.approx(0.5)
    assert median_ratio(measured(1, 4, 9), measured(2, 4, 3), lambda each: each.p50_ms) == pytest.approx(1.0)


def test_rounds_have_to_belong_together() -> None:
    """Rounds that were not measured in pairs are not compared."""
    with pytest.raises(ValueError, match="zip"):
        median_ratio(measured(1.0), measured(1.0, 1.0), lambda each: each.p50_ms)


def test_percentiles_are_of_all_rounds_together() -> None:
    """The slowest hundredth of all answers may all be of one round."""
    rounds = [Round(Load([0.001] * 99), {}), Round(Load([0.001] * 99 + [0.5] * 2), {})]
    both = Measured(rounds)
    assert both.percentile_ms(50) == pytest.approx(1)
    assert both.percentile_ms(99.9) == pytest.approx(500)
    assert math.isnan(percentile_ms([], 50))


def test_processor_time_is_that_of_all_processes() -> None:
    """An image's time is the sum over the tree, and is shown for each process."""
    both = Measured([Round(Load(), {"gateway": 0.002, "server": 0.008})])
    assert both.cpu_ms == pytest.approx(10)
    assert both.cpu_ms_by_process() == pytest.approx({"gateway": 2, "server": 8})


def test_all_holds_where_ours_is_twice_as_good() -> None:
    """Less than half the time and the processor time, twice the images: every bound of the service holds."""
    ours, theirs = measured(0.010, cpu=0.004, rate=100), measured(0.020, cpu=0.010, rate=50)
    assert set(holding(loads(ours, theirs), neighbours(measured(0.105)), GOOD).values()) == {True}


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"cpu": 0.0046}, {"CPU per image, 8 clients", "CPU per image, 32 clients"}),
        ({"rate": 99}, {"images/s, 32 clients"}),
        ({"p50": 0.0151}, {"median latency, 1 client"}),
        ({"junk": 0.111}, {"their p50 beside junk in step", "their p50 beside junk without pause"}),
        ({"failed": 1}, {"requests of seven good clients that failed beside junk"}),
        ({"memory": 751}, {"memory of graft up"}),
        ({"start": 8.1}, {"graft up, start to first response"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_bound_breaks_alone(change: dict[str, float], broken: set[str]) -> None:
    """What is a little worse than wanted is said, and nothing else with it."""
    ours = measured(change.get("p50", 0.010), cpu=change.get("cpu", 0.0045), rate=int(change.get("rate", 100)))
    beside_junk = measured(change.get("junk", 0.11), failed=int(change.get("failed", 0)))
    footprint = Footprint([change.get("start", 8.0)], 400, change.get("memory", 750))
    found = holding(loads(ours, measured(0.020, cpu=0.010, rate=50)), neighbours(beside_junk), footprint)
    assert {what.split(",")[0] for what, holds in found.items() if not holds} == {what.split(",")[0] for what in broken}


def test_what_could_not_be_measured_does_not_hold() -> None:
    """No answer at all is not a quick one."""
    assert not Bound("p50", math.nan, "<=", 1).holds
    assert not Bound("rate", math.nan, ">=", 1).holds


def test_the_table_says_what_was_wanted() -> None:
    """Each row has the value, the bound with its unit, and a word."""
    table = bounds_table([Bound("memory", 800.4, "<=", 750, "MB"), Bound("ratio", 2.345, ">=", 2.0)])
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [("memory", "800 MB", "<= 750 MB", "NO"), ("ratio", "2.35", ">= 2.00", "yes")]
