"""The last images that one version answered, counted in the buckets of its reference."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping

from contract.reference import ReferenceDistributions
from gateway.drift.buckets import FEATURES, Feature, grouping_of, reference_counts
from gateway.observability.predicted_image import PredictedImage

Counts = Mapping[Feature, list[int]]
"""Of each feature, how many of the last images are in each bucket, or have been given each class."""


class Window:
    """The last `size` images of one version, and what they are compared with.

    An image whose size or brightness is not known lacks that feature.
    """

    def __init__(self, digest: str, reference: ReferenceDistributions, size: int) -> None:
        self.digest = digest
        self.reference = reference
        self.groupings = {feature: grouping_of(reference, feature) for feature in FEATURES}
        self._size = size
        self._buckets: deque[tuple[int, int, int, int]] = deque()
        # the last count of each is of images that lack the feature
        self._counts = [[0] * (len(reference_counts(reference, feature)) + 1) for feature in FEATURES]
        self._class_of = {name: index for index, name in enumerate(reference.predicted)}
        self._confidence, self._brightness, self._pixels = (
            (histogram.edges, len(histogram.counts))
            for histogram in (reference.confidence, reference.brightness, reference.size)
        )

    def add(self, image: PredictedImage) -> None:
        """Count an image, in place of the oldest one if there are `size` already; the same few steps always."""
        buckets = (
            self._class_of.get(image.label, -1),
            _bucket_of(image.probability, *self._confidence),
            -1 if image.brightness is None else _bucket_of(image.brightness, *self._brightness),
            -1 if image.pixels is None else _bucket_of(image.pixels, *self._pixels),
        )
        classes, confidence, brightness, pixels = self._counts
        self._buckets.append(buckets)
        classes[buckets[0]] += 1
        confidence[buckets[1]] += 1
        brightness[buckets[2]] += 1
        pixels[buckets[3]] += 1
        if len(self._buckets) > self._size:
            oldest = self._buckets.popleft()
            classes[oldest[0]] -= 1
            confidence[oldest[1]] -= 1
            brightness[oldest[2]] -= 1
            pixels[oldest[3]] -= 1

    def counts(self) -> Counts:
        """Return the counts of each feature; they are the caller's to keep."""
        return {feature: counts[:-1] for feature, counts in zip(FEATURES, self._counts, strict=True)}


def _bucket_of(value: float, edges: tuple[float, ...], buckets: int) -> int:
    """Return the bucket that `Histogram.index_of` does, at a third of its cost; the value is a number."""
    return bisect_right(edges, value, 1, buckets) - 1
