"""Growth of memory, from samples."""

import pytest

from benchmarks.attack.endurance import growth_of


def test_memory_that_settles_has_not_grown() -> None:
    """What it took before a fifth of the time had passed does not count, nor does a batch that comes and goes."""
    samples = [*(400.0 + 4 * second for second in range(100)), *([800.0, 801.0] * 250)]
    samples[300] = samples[-1] = 2000.0
    assert growth_of(samples).share == pytest.approx(0.0, abs=0.01)


def test_memory_that_grows_on_has_grown() -> None:
    """A megabyte a second."""
    growth = growth_of([400.0 + second for second in range(600)])
    assert growth.share > 0.5
    assert [growth.settled_mb, growth.end_mb] == pytest.approx([564.5, 954.5])
