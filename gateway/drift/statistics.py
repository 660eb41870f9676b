"""The distance between two sets of counts over the same buckets, and the distance that chance alone explains.

The population stability index (PSI) is the symmetric Kullback-Leibler divergence of the two sets of shares. Between
two samples of n and m from one distribution over B buckets, PSI / (1/n + 1/m) is about chi-square with B - 1 degrees
of freedom (B. Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University, 2018).
A fixed threshold such as 0.2 is therefore not enough: 500 images against a reference of 90 in 10 buckets have a PSI of
0.12 on average when nothing has changed.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

FALSE_ALARM = 0.001
"""How often a feature may exceed its threshold by chance; for four features together that is less than 1 %."""

_PRIOR = 0.5
"""Added to every count (Jeffreys' prior), because a bucket that is empty on one side would make the PSI infinite."""


def population_stability_index(reference: Sequence[int], live: Sequence[int]) -> float:
    """Return the PSI of two sets of counts over the same B buckets: 0 for equal shares, with no upper bound."""
    pairs = zip(_smoothed(reference), _smoothed(live), strict=True)
    return sum((now - before) * math.log(now / before) for before, now in pairs)


def jensen_shannon_distance(reference: Sequence[int], live: Sequence[int]) -> float:
    """Return the Jensen-Shannon distance, base 2, of counts over the same buckets: 0 for equal shares, 1 for disjoint.

    The square root of the divergence (Endres and Schindelin, 2003). Neither side may be completely empty.
    """
    pairs = list(zip(_shares(reference), _shares(live), strict=True))
    divergence = sum(_to_middle(before, now) + _to_middle(now, before) for before, now in pairs) / 2
    return math.sqrt(max(divergence, 0.0))


def psi_threshold(images: int, reference_images: int, buckets: int, least: float) -> float:
    """Return the PSI that chance exceeds in one of `1 / FALSE_ALARM` windows; never below `least`.

    `images` is the number in the window; `buckets` is at least 2.
    """
    by_chance = chi_square_quantile(1 - FALSE_ALARM, buckets - 1)
    return max(least, by_chance * (1 / images + 1 / reference_images))


def chi_square_quantile(probability: float, degrees: int) -> float:
    """Return a quantile of the chi-square distribution, with an error below 4 % from 0.9 to 0.999.

    The cube root is nearly normal (Wilson and Hilferty, 1931). Computed here so that the gateway does not need scipy.
    """
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + NormalDist().inv_cdf(probability) * math.sqrt(spread)) ** 3


def _smoothed(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + _PRIOR * len(counts)
    return [(count + _PRIOR) / total for count in counts]


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts]


def _to_middle(share: float, other: float) -> float:
    return share * math.log2(2 * share / (share + other)) if share else 0.0
