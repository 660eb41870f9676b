"""The four features that are compared, and their buckets, merged until each holds enough of the reference.

A reference may come from 90 images in 20 buckets. Nearly empty buckets add noise to the PSI that is not chi-square
distributed, so neighbours are merged until each group has enough of the reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from contract.reference import Histogram, ReferenceDistributions

Feature = Literal["class", "confidence", "brightness", "size"]
FEATURES: tuple[Feature, ...] = get_args(Feature)

_LEAST_OF_CLASS = 5
"""Cochran's rule for chi-square: at least five expected per class. Rarer classes are merged into one group."""

_LEAST_OF_HISTOGRAM, _GROUPS = 10, 10
"""A group of a histogram has at least ten images and a tenth of the reference: about the usual ten PSI buckets."""


@dataclass(frozen=True)
class Grouping:
    """The group of each of N buckets, numbered from 0, and the number of groups."""

    group_of: tuple[int, ...]
    groups: int

    def regrouped(self, counts: Sequence[int]) -> list[int]:
        """Return the counts of the groups from the counts of the N buckets."""
        together = [0] * self.groups
        for group, count in zip(self.group_of, counts, strict=True):
            together[group] += count
        return together


def histogram_of(reference: ReferenceDistributions, feature: Feature) -> Histogram | None:
    """Return the reference's histogram of a feature; None for classes, which have no order."""
    histograms = {
        "confidence": reference.confidence,
        "brightness": reference.brightness,
        "size": reference.size,
    }
    return histograms.get(feature)


def reference_counts(reference: ReferenceDistributions, feature: Feature) -> tuple[int, ...]:
    """Return the reference's count of each bucket of a feature, or of each class in its order."""
    histogram = histogram_of(reference, feature)
    return tuple(reference.predicted.values()) if histogram is None else histogram.counts


def grouping_of(reference: ReferenceDistributions, feature: Feature) -> Grouping:
    """Return the groups in which a feature is compared with this reference; a single group cannot be compared."""
    counts = reference_counts(reference, feature)
    return _group_classes(counts) if feature == "class" else _group_neighbours(counts)


def _group_classes(counts: Sequence[int]) -> Grouping:
    frequent = [index for index, count in enumerate(counts) if count >= _LEAST_OF_CLASS]
    number = {index: group for group, index in enumerate(frequent)}
    has_rare = len(frequent) < len(counts)
    return Grouping(
        tuple(number.get(index, len(frequent)) for index in range(len(counts))), len(frequent) + int(has_rare)
    )


def _group_neighbours(counts: Sequence[int]) -> Grouping:
    """Merge neighbours; buckets outside the reference's range, on either side, form one more group.

    Without that group, a reference whose images all have one size would have one group for every size.
    """
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return Grouping((0,) * len(counts), 1)
    first, last = filled[0], filled[-1]
    inner = _cut(counts[first : last + 1])
    groups = inner[-1] + 1
    beyond = groups
    has_beyond = first > 0 or last + 1 < len(counts)
    group_of = (*(beyond,) * first, *inner, *(beyond,) * (len(counts) - last - 1))
    return Grouping(group_of, groups + int(has_beyond))


def _cut(counts: Sequence[int]) -> list[int]:
    """Return the group of each bucket, from left to right; a group ends once it has enough.

    Remaining buckets belong to the last group.
    """
    least = max(_LEAST_OF_HISTOGRAM, sum(counts) / _GROUPS)
    groups: list[int] = []
    group = held = 0
    for index, count in enumerate(counts):
        groups.append(group)
        held += count
        if held >= least and sum(counts[index + 1 :]) >= least:
            group, held = group + 1, 0
    return groups
