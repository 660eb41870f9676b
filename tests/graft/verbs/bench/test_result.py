"""What is said of the numbers: where they are worth little, and where there are none."""

import json
from pathlib import Path

import pytest

from graft.actions.bench.images import read_images
from graft.actions.bench.recorded import RecordedLoad
from graft.actions.bench.result import BenchResult, MeasuredLoad
from graft.traffic.measuring import Round


def load_of(count: int = 200, generator: float = 0.1, late: float = 0.0) -> RecordedLoad:
    """Return a load of a second."""
    load = RecordedLoad(latencies=[0.01] * count, late=[late] * count, seconds=1.0, generator=generator)
    load.statuses[200] = count
    return load


@pytest.mark.parametrize(
    ("measured", "warning"),
    [
        (MeasuredLoad(load_of(), clients=1), None),
        (MeasuredLoad(load_of(generator=0.9), clients=1), "itself took 0.90 of a processor, and so was the limit"),
        (MeasuredLoad(load_of(late=0.0005), rate=200), None),
        (MeasuredLoad(load_of(late=0.004), rate=200), "requests were sent 4.0 ms after they were due"),
        (MeasuredLoad(load_of(), 1, None, Round(load_of(), {}, 0.1)), None),
        (MeasuredLoad(load_of(), 1, None, Round(load_of(), {}, 0.5)), "other processes kept this machine busy"),
        (MeasuredLoad(load_of(count=12), clients=1), "p99 of 12 responses says little"),
    ],
)  # fmt: skip
def test_what_limits_the_numbers_is_said(measured: MeasuredLoad, warning: str | None) -> None:
    """A generator that was the limit or late, a machine with other work, few responses."""
    found = measured.warnings()
    assert len(found) == (warning is not None)
    assert warning is None or warning in found[0]


def test_what_was_not_measured_is_null() -> None:
    """JSON has neither NaN nor a processor time for each of no images."""
    load = RecordedLoad(seconds=1.0)
    load.note(0, 0.1)
    numbers = MeasuredLoad(load, 1, None, Round(load, {"it": 0.5})).numbers()
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert numbers["failed"] == 1
    assert numbers["cpu_ms_per_image"] is None
    assert set(dict(numbers["latency_ms"]).values()) == {None}  # type: ignore[call-overload]
    assert MeasuredLoad(load, 1).numbers()["memory_peak_mb"] is None


def test_a_result_counts_the_failures_of_all_loads() -> None:
    """Which decide over the exit code."""
    result = BenchResult("http://h", "native", "", "", 1, 1, 10.0, [])
    result.loads = [MeasuredLoad(load_of(), clients=1), MeasuredLoad(load_of(), rate=2.0)]
    assert result.failed == 0
    result.loads[1].load.note(503, 0.1)
    assert result.failed == 1


def test_of_many_images_as_many_as_fit_are_drawn(tmp_path: Path) -> None:
    """From the whole folder, not from its first class; the same each time; what cannot be read is listed."""
    for number in range(60):
        (tmp_path / f"{number:02d}.jpg").write_bytes(bytes(100))
    images = read_images([str(tmp_path), "gone.jpg"], most_bytes=1000)
    assert (len(images.images), images.of, images.mean_bytes) == (10, 61, 100)
    names = [Path(name).stem for name, _ in images.images]
    assert names != sorted(names)
    assert {name[0] for name in names} > {"0", "5"}
    assert read_images([str(tmp_path), "gone.jpg"], most_bytes=1000) == images
    everything = read_images([str(tmp_path), "gone.jpg"])
    assert (len(everything.images), [name for name, _ in everything.unreadable]) == (60, ["gone.jpg"])
