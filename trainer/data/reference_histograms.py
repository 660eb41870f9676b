"""The reference that travels with a model: how its answers and images looked on held-out data."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from contract.reference import Histogram, ReferenceDistributions, normalised_entropy

_TWENTIETHS = tuple(index / 20 for index in range(21))
_PIXELS = tuple(float(2**power) for power in range(10, 27))  # 32 x 32 to over the 50 million that are decoded at most


def make_reference(
    probabilities: npt.NDArray[np.float32],
    class_names: Sequence[str],
    sizes: npt.NDArray[np.int32],
    brightness: npt.NDArray[np.float32],
) -> ReferenceDistributions:
    """Count N answers and images into the buckets that live traffic will be compared with.

    `probabilities` are float32 [N, C], calibrated as they are served; `sizes` int32 [N, 2] are height and width of
    the image files in pixels; `brightness` float32 [N] is what `brightness_of` returns.
    """
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=len(class_names))
    return ReferenceDistributions(
        images=len(probabilities),
        predicted={name: int(count) for name, count in zip(class_names, predicted, strict=True)},
        confidence=_histogram(probabilities.max(axis=1), _TWENTIETHS),
        entropy=_histogram((normalised_entropy(row.tolist()) for row in probabilities), _TWENTIETHS),
        size=_histogram(sizes.prod(axis=1, dtype=np.int64), _PIXELS),
        brightness=_histogram(brightness, _TWENTIETHS),
    )


def brightness_of(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the mean of all values of each image, 0 black to 1 white: uint8 [N, H, W, 3] to float32 [N]."""
    return np.asarray(pixels.mean(axis=(1, 2, 3), dtype=np.float64) / 255, np.float32)


def _histogram(values: Iterable[float], edges: tuple[float, ...]) -> Histogram:
    counts = [0] * (len(edges) - 1)
    empty = Histogram(edges=edges, counts=tuple(counts))
    for value in values:
        counts[empty.index_of(float(value))] += 1
    return Histogram(edges=edges, counts=tuple(counts))
