"""All loads of `bench_serving`, a moment each, against two services that are real and quick."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.serving.junk import junk
from benchmarks.serving.phases import (
    CLIENTS,
    GOOD,
    SHARES,
    Footprint,
    Plan,
    Progress,
    capacities_of,
    measure_closed,
    measure_neighbours,
    measure_open,
    warm_up,
)
from benchmarks.serving.photographs import draw, encode
from benchmarks.serving.report import report
from benchmarks.serving.systems import System, SystemFailedError, started
from gateway.errors import NotAnImageError, TooManyPixelsError, TruncatedImageError
from gateway.predict.image_guard import check_image

FAKE = "tests.fakes.image_service"
IMAGES = [encode(draw(seed)) for seed in range(2)]


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, System]]:
    """Two services under the names that are compared; both do the same."""
    folder = tmp_path_factory.mktemp("logs")
    with (
        started("graft up", "/v1/predict", [FAKE], IMAGES[0], folder / "ours.log") as ours,
        started("tutorial", "/predict", [FAKE], IMAGES[0], folder / "theirs.log") as theirs,
    ):
        yield ours, theirs


@pytest.fixture
def said() -> io.StringIO:
    """What was printed."""
    return io.StringIO()


@pytest.fixture
def plan(said: io.StringIO) -> Plan:
    """Two rounds of a tenth of a second."""
    return Plan(IMAGES, 0.15, 2, Progress(Console(file=said, width=200)))


def test_all_loads_are_measured_and_reported(systems: tuple[System, System], plan: Plan, said: io.StringIO) -> None:
    """Each system meets each load once a round, nothing fails, and equal services come out as equal."""
    ours = systems[0]
    footprints = {system.name: Footprint([system.start_seconds], system.tree.resident_mb()) for system in systems}
    for system in systems:
        warm_up(system, plan)
        footprints[system.name].note(system)
    loads, engines = measure_closed(systems, [], plan)
    loads |= measure_open(systems, capacities_of(systems, loads), plan)
    neighbours = measure_neighbours(ours, [image[:-2] for image in IMAGES], plan)
    assert set(loads) == {(system.name, load) for system in systems for load in (*CLIENTS, *SHARES)}
    assert {len(each.rounds) for each in loads.values()} == {plan.rounds}
    assert [each.failed for each in loads.values()] == [0] * len(loads)
    # the system counts in steps of ten milliseconds, and Python adds much where it is slow
    assert 1.5 <= loads[ours.name, 8].cpu_ms <= 20.0, "two milliseconds of work, and what Python adds"
    console = Console(file=said, width=200)
    for part in report(loads, engines, neighbours, footprints):
        console.print(part)
    text = said.getvalue()
    assert "32 clients" in text
    assert "open, 80% of capacity" in text
    assert "images/s, 32 clients, of the tutorial's" in text
    assert "NO" in text, "equal services are not twice as fast as each other"


def test_half_the_capacity_is_half_the_capacity(systems: tuple[System, System], plan: Plan) -> None:
    """An open loop sends a second's share of each system's own rate; a busy machine sends it later."""
    rates = {"graft up": 100.0, "tutorial": 200.0}
    longer = Plan(plan.images, 1.0, 1, plan.progress)
    loads = measure_open(systems, rates, longer)
    sent = {key: measured.rounds[0].load.statuses.total() for key, measured in loads.items()}
    assert sent["graft up", 0.5] == pytest.approx(50, rel=0.35)
    assert sent["tutorial", 0.8] == pytest.approx(160, rel=0.35)


def test_junk_in_step_is_one_request_for_seven_answers(systems: tuple[System, System], plan: Plan) -> None:
    """The eighth client is refused about as often as each of the others is answered, and without pause more often."""
    seen = measure_neighbours(systems[0], [b"junk"], Plan(plan.images, 0.5, 1, plan.progress))
    in_step, unpaused = (each.load for each in seen.junk.rounds)
    replied = len(seen.junk_in_step.rounds[0].load.latencies)
    assert in_step.statuses == {422: in_step.statuses.total()}
    assert 0.5 * replied / GOOD <= in_step.statuses.total() <= replied / GOOD + 2
    assert unpaused.statuses[422] > 2 * in_step.statuses[422]
    assert seen.junk_in_step.failed == seen.junk_unpaused.failed == 0


def test_a_service_that_does_not_start_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    """What the process wrote last is in the sentence."""
    with (
        pytest.raises(SystemFailedError, match=r"did not start: .*No module named tests\.no_such_service"),
        started("it", "/", ["tests.no_such_service"], b"", tmp_path / "log"),
    ):
        pytest.fail("it started")


def test_junk_is_refused_by_the_gateway_or_gets_as_far_as_the_decoder() -> None:
    """One in three looks well from outside; the others are no images or cut short."""
    refused = []
    for content in junk(IMAGES):
        try:
            check_image(content, ("jpeg", "png"), 50_000_000)
        except (NotAnImageError, TruncatedImageError, TooManyPixelsError):
            refused.append(content)
    assert len(junk(IMAGES)) == 3 * len(IMAGES)
    assert len(refused) == 2 * len(IMAGES)
    assert junk(IMAGES) == junk(IMAGES), "every run sends the same"
