"""References and answered pictures for the tests of drift."""

from collections.abc import Sequence

from contract.reference import Histogram, ReferenceDistributions
from gateway.observability.predicted_image import AnsweredPicture

TWENTIETHS = tuple(index / 20 for index in range(21))
PIXELS = tuple(float(2**power) for power in range(10, 27))


def histogram_of(values: Sequence[float], edges: tuple[float, ...] = TWENTIETHS) -> Histogram:
    """Count values into buckets, as the trainer does."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[Histogram(edges=edges, counts=tuple(counts)).index_of(value)] += 1
    return Histogram(edges=edges, counts=tuple(counts))


def reference_of(pictures: Sequence[AnsweredPicture], labels: Sequence[str]) -> ReferenceDistributions:
    """Return the reference that these pictures make, all of whose sizes and brightnesses are known."""
    return ReferenceDistributions(
        pictures=len(pictures),
        predicted={label: sum(picture.label == label for picture in pictures) for label in labels},
        confidence=histogram_of([picture.probability for picture in pictures]),
        entropy=histogram_of([0.5] * len(pictures)),
        size=histogram_of([picture.pixels or 0 for picture in pictures], PIXELS),
        brightness=histogram_of([picture.brightness or 0.0 for picture in pictures]),
    )


def picture_of(
    label: str,
    probability: float = 0.9,
    pixels: int | None = 200_000,
    brightness: float | None = 0.45,
    *,
    model: str = "flowers",
    version: int = 1,
) -> AnsweredPicture:
    """Return a picture that was answered."""
    return AnsweredPicture(model, version, 0, label, probability, 10_000, pixels, brightness)
