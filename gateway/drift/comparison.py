"""Compares a version's last images with its reference."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.drift.buckets import FEATURES, Feature, reference_counts
from gateway.drift.statistics import jensen_shannon_distance, population_stability_index, psi_threshold
from gateway.drift.window import Counts, Window
from gateway.drift.words import sentence_of


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature of the last `images` is from the reference; it `moved` if `psi` is above its threshold."""

    feature: Feature
    images: int
    psi: float
    js_distance: float
    threshold_psi: float
    moved: bool
    sentence: str


def compare(window: Window, counts: Counts, least_images: int, least_psi: float) -> tuple[FeatureDrift, ...]:
    """Compare each feature that has enough images and a usable reference.

    `counts` are those of the window's buckets, possibly summed over several workers.
    """
    return tuple(
        _compare_feature(window, feature, counts[feature], least_psi)
        for feature in FEATURES
        if sum(counts[feature]) >= least_images and _can_judge(window, feature)
    )


def _can_judge(window: Window, feature: Feature) -> bool:
    return window.groupings[feature].groups > 1 and sum(reference_counts(window.reference, feature)) > 0


def _compare_feature(window: Window, feature: Feature, live: Sequence[int], least_psi: float) -> FeatureDrift:
    grouping, known = window.groupings[feature], reference_counts(window.reference, feature)
    before, now, images = grouping.regrouped(known), grouping.regrouped(live), sum(live)
    psi = population_stability_index(before, now)
    threshold = psi_threshold(images, sum(known), grouping.groups, least_psi)
    moved = psi > threshold
    return FeatureDrift(
        feature=feature,
        images=images,
        psi=psi,
        js_distance=jensen_shannon_distance(before, now),
        threshold_psi=threshold,
        moved=moved,
        sentence=sentence_of(feature, window.reference, live, moved=moved),
    )
