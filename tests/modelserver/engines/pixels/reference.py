"""The resize of `kernel.c` in NumPy: the same float32 operations in the same order, twenty times slower.

Tests compare the extension with it, and it with TensorFlow. The order is that of TensorFlow's operations
ScaleAndTranslate (triangle kernel) and ResizeBilinear (`half_pixel_centers`).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelserver.model.decoded_images import Pixels

_Floats = npt.NDArray[np.float32]
_Places = npt.NDArray[np.int64]
_HALF, _ONE = np.float32(0.5), np.float32(1)
_SMALLEST_TOTAL = np.float32(1000) * np.finfo(np.float32).tiny


class Spans(NamedTuple):
    """What each place of the output is a sum of: `weights` float32 [N, K] from `starts` int64 [N] on."""

    starts: _Places
    weights: _Floats


def resize(image: Pixels, height: int, width: int, *, antialias: bool) -> Pixels:
    """Return an image, uint8 [H, W, 3] of any strides, in another size, as TensorFlow resizes and rounds it.

    ValueError where TensorFlow fails, too.
    """
    values = _antialiased(image, height, width) if antialias else _interpolated(image, height, width)
    return np.rint(values).astype(np.uint8)


def spans(output: int, size: int) -> Spans:
    """Return the weights with which `size` places become `output` ones."""
    inverse = _ONE / (np.float32(output) / np.float32(size))
    kernel_scale = max(inverse, _ONE)
    widest = min(2 * int(np.ceil(kernel_scale)) + 1, size)
    samples = (np.arange(output, dtype=np.float32) + _HALF) * inverse
    first = np.clip(np.ceil(samples - kernel_scale - _HALF).astype(np.int64), 0, size - 1)
    last = np.clip(np.floor(samples + kernel_scale - _HALF).astype(np.int64), 0, size - 1)
    if (last - first + 1).max() > widest:
        raise ValueError("the image is too large for the result")
    places = first[:, None] + np.arange(widest)
    distances = np.abs((places.astype(np.float32) + _HALF - samples[:, None]) * (_ONE / kernel_scale))
    weights = np.where((distances < _ONE) & (places <= last[:, None]), _ONE - distances, np.float32(0))
    totals = np.zeros(output, np.float32)
    for column in weights.T:  # one after the other: NumPy's own sum adds in another order
        totals += column
    factors = np.divide(_ONE, totals, out=np.zeros_like(totals), where=np.abs(totals) >= _SMALLEST_TOTAL)
    inside = (samples >= 0) & (samples <= np.float32(size))
    return Spans(np.where(inside, first, 0), np.where(inside[:, None], weights * factors[:, None], np.float32(0)))


def _antialiased(image: Pixels, height: int, width: int) -> _Floats:
    return _along_columns(_along_rows(image, spans(height, image.shape[0])), spans(width, image.shape[1]))


def _along_rows(image: Pixels, down: Spans) -> _Floats:
    sums = np.zeros((len(down.starts), *image.shape[1:]), np.float32)
    for place, (start, weights) in enumerate(zip(down.starts, down.weights, strict=True)):
        for weight, row in zip(weights, image[start:], strict=False):
            sums[place] += weight * row.astype(np.float32)
    return sums


def _along_columns(rows: _Floats, across: Spans) -> _Floats:
    sums = np.zeros((rows.shape[0], len(across.starts), rows.shape[2]), np.float32)
    for number, weights in enumerate(across.weights.T):
        places = np.minimum(across.starts + number, rows.shape[1] - 1)  # behind the end, all weights are 0
        sums += weights[None, :, None] * rows[:, places]
    return sums


def _interpolated(image: Pixels, height: int, width: int) -> _Floats:
    above, below, down = _neighbours(height, image.shape[0])
    left, right, across = _neighbours(width, image.shape[1])
    values = image.astype(np.float32)
    top = _between(values[above][:, left], values[above][:, right], across[None, :, None])
    bottom = _between(values[below][:, left], values[below][:, right], across[None, :, None])
    return _between(top, bottom, down[:, None, None])


def _neighbours(output: int, size: int) -> tuple[_Places, _Places, _Floats]:
    """Return the places before and behind each place of the output, and how far between them it is."""
    scale = np.float32(size) / np.float32(output)
    at = (np.arange(output, dtype=np.float32) + _HALF) * scale - _HALF
    before = np.floor(at)
    lower, upper = (np.clip(each.astype(np.int64), 0, size - 1) for each in (before, np.ceil(at)))
    return lower, upper, at - before


def _between(first: _Floats, second: _Floats, share: _Floats) -> _Floats:
    return first + (second - first) * share
