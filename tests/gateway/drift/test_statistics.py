"""The statistics behind drift: as the textbooks have them, and as often wrong as they say."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from gateway.drift.statistics import (
    FALSE_ALARM,
    chi_square_quantile,
    jensen_shannon_distance,
    population_stability_index,
    psi_threshold,
)

WINDOWS = 4000


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 9, 20, 99, 999])
@pytest.mark.parametrize("probability", [0.9, 0.95, 0.99, 0.999])
def test_quantiles_are_those_of_chi_square(degrees: int, probability: float) -> None:
    """The approximation is within 4 % of scipy's quantile, and within 2 % from four degrees of freedom on."""
    bound = 0.04 if degrees < 4 else 0.02
    assert chi_square_quantile(probability, degrees) == pytest.approx(chi2.ppf(probability, degrees), rel=bound)


def test_psi_of_large_counts_is_the_textbook_formula() -> None:
    """The PSI is the sum over buckets of the difference of the shares times the logarithm of their ratio."""
    by_hand = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert population_stability_index([5_000_000, 5_000_000], [3_000_000, 7_000_000]) == pytest.approx(by_hand, 1e-5)
    assert population_stability_index([30, 70], [30, 70]) == 0


def test_an_empty_bucket_leaves_the_psi_finite() -> None:
    """A bucket that only one side has counts for much, and not for infinity."""
    assert 1 < population_stability_index([90, 0], [250, 250]) < 5
    assert 1 < population_stability_index([45, 45], [500, 0]) < 5


def test_distance_is_that_of_jensen_and_shannon() -> None:
    """The distance is scipy's with base 2, 0 for equal shares and 1 where nothing is shared."""
    for before, now in (([5, 3, 2], [1, 1, 8]), ([90, 0, 10], [0, 500, 0]), ([1, 2], [10, 20])):
        expected = jensenshannon(before, now, base=2)
        assert jensen_shannon_distance(before, now) == pytest.approx(expected, abs=1e-7)
    assert jensen_shannon_distance([3, 0], [0, 9]) == 1


@pytest.mark.parametrize(
    "shares",
    [[0.2] * 5, [1 / 9] * 9, [0.1, 0.12, 0.18, 0.6], [0.005, 0.02, 0.1, 0.875]],
    ids=len,
)
@pytest.mark.parametrize("reference_images", [90, 1000])
@pytest.mark.parametrize("images", [200, 500])
def test_chance_is_above_the_threshold_as_rarely_as_promised(
    shares: list[float], reference_images: int, images: int
) -> None:
    """Of 4,000 windows that were drawn as the reference was, at most as many as 0.1 % plus chance are above it."""
    random = np.random.default_rng(7)
    references = random.multinomial(reference_images, shares, WINDOWS)
    windows = random.multinomial(images, shares, WINDOWS)
    threshold = psi_threshold(images, reference_images, len(shares), least=0.0)
    above = sum(
        population_stability_index(before, now) > threshold
        for before, now in zip(references.tolist(), windows.tolist(), strict=True)
    )
    expected = FALSE_ALARM * WINDOWS
    assert above <= expected + 4 * math.sqrt(expected)


def test_a_fixed_bound_would_give_false_alarms() -> None:
    """With a reference of 90 images in 9 buckets, chance passes the usual bound of 0.2 in over 1 % of windows."""
    random = np.random.default_rng(7)
    references, windows = (random.multinomial(images, [1 / 9] * 9, WINDOWS).tolist() for images in (90, 500))
    above = sum(population_stability_index(*pair) > 0.2 for pair in zip(references, windows, strict=True))
    assert above > 0.01 * WINDOWS
    assert psi_threshold(500, 90, 9, least=0.1) > 0.3


def test_the_threshold_falls_to_a_practical_least() -> None:
    """More images make it smaller, more buckets larger, and however many there are it stays at the least effect."""
    assert psi_threshold(200, 90, 5, 0.1) > psi_threshold(500, 90, 5, 0.1) > psi_threshold(500, 1000, 5, 0.1) == 0.1
    assert psi_threshold(500, 90, 9, 0.1) > psi_threshold(500, 90, 5, 0.1)
