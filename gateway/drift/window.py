"""The last images predicted by one version, counted in the buckets of its reference."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping

from contract.reference import ReferenceDistributions
from gateway.drift.buckets import FEATURES, Feature, grouping_of, reference_counts
from gateway.observability.predicted_image import PredictedImage

Counts = Mapping[Feature, list[int]]
"""For each feature, the number of last images in each bucket or predicted class."""


class Window:
    """The last `size` images of one version, and the reference they are compared with.

    An image with an unknown size or brightness is not counted for that feature.
    """

    def __init__(self, digest: str, reference: ReferenceDistributions, size: int) -> None:
        self.digest = digest
        self.reference = reference
        self.groupings = {feature: grouping_of(reference, feature) for feature in FEATURES}
        self._size = size
        self._buckets: deque[tuple[int, int, int, int]] = deque()
        # the last count of each is that of images without the feature
        self._counts = [[0] * (len(reference_counts(reference, feature)) + 1) for feature in FEATURES]
        self._class_of = {name: index for index, name in enumerate(reference.predicted)}
        self._confidence, self._brightness, self._pixels = (
            (histogram.edges, len(histogram.counts))
            for histogram in (reference.confidence, reference.brightness, reference.size)
        )

    def add(self, image: PredictedImage) -> None:
        """Count an image, and drop the oldest one if there are more than `size`; takes constant time."""
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
        """Return a copy of the counts of each feature."""
        return {feature: counts[:-1] for feature, counts in zip(FEATURES, self._counts, strict=True)}


def _bucket_of(value: float, edges: tuple[float, ...], buckets: int) -> int:
    """Return the same bucket as `Histogram.index_of`, at a third of its cost; the value must not be NaN."""
    return bisect_right(edges, value, 1, buckets) - 1
