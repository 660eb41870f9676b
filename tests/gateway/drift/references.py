"""References and answered images for the tests of drift."""

from collections.abc import Sequence

from contract.reference import Histogram, ReferenceDistributions
from gateway.observability.predicted_image import PredictedImage

TWENTIETHS = tuple(index / 20 for index in range(21))
PIXELS = tuple(float(2**power) for power in range(10, 27))


def histogram_of(values: Sequence[float], edges: tuple[float, ...] = TWENTIETHS) -> Histogram:
    """Count values into buckets, as the trainer does."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[Histogram(edges=edges, counts=tuple(counts)).index_of(value)] += 1
    return Histogram(edges=edges, counts=tuple(counts))


def reference_of(images: Sequence[PredictedImage], labels: Sequence[str]) -> ReferenceDistributions:
    """Return the reference that these images make, all of whose sizes and brightnesses are known."""
    return ReferenceDistributions(
        images=len(images),
        predicted={label: sum(image.label == label for image in images) for label in labels},
        confidence=histogram_of([image.probability for image in images]),
        entropy=histogram_of([0.5] * len(images)),
        size=histogram_of([image.pixels or 0 for image in images], PIXELS),
        brightness=histogram_of([image.brightness or 0.0 for image in images]),
    )


def image_of(
    label: str,
    probability: float = 0.9,
    pixels: int | None = 200_000,
    brightness: float | None = 0.45,
    *,
    model: str = "flowers",
    version: int = 1,
) -> PredictedImage:
    """Return an image that was answered."""
    return PredictedImage(model, version, 0, label, probability, 10_000, pixels, brightness)
