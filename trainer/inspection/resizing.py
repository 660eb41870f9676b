"""TensorFlow's antialiased bilinear resize in NumPy, to the same bits: fingerprints are then those of training.

`ScaleAndTranslate` sums float32 products in order, rows first, then columns; so does this. Pillow's resize rounds to
whole levels in between.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_ONE = np.float32(1)
_HALF = np.float32(0.5)


class _Spans(NamedTuple):
    """Of each place of the output: the first place of the input, int64 [N], and the weights from there, [N, K]."""

    starts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


def resize(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return an image, uint8 [H, W, 3], at another size, whole levels of 0 to 255."""
    rows = _weighted(image, _spans(image.shape[0], height))
    columns = _weighted(rows.transpose(1, 0, 2), _spans(image.shape[1], width))
    return np.round(columns.transpose(1, 0, 2)).astype(np.uint8)


def _weighted(values: npt.NDArray[np.uint8] | npt.NDArray[np.float32], spans: _Spans) -> npt.NDArray[np.float32]:
    """Return float32 [N, ...]: the weighted sums of the rows of `values`, [L, ...]."""
    total = np.zeros((len(spans.starts), *values.shape[1:]), np.float32)
    term = np.empty_like(total)
    for place in range(spans.weights.shape[1]):
        index = np.minimum(spans.starts + place, len(values) - 1)  # beyond the end the weight is 0
        np.multiply(values[index], spans.weights[:, place, None, None], out=term)
        total += term
    return total


@functools.lru_cache(maxsize=256)
def _spans(size: int, wanted: int) -> _Spans:
    scale = np.float32(wanted) / np.float32(size)
    inverse = np.float32(1.0 / float(scale))
    radius = max(inverse, _ONE)
    centres = (np.arange(wanted, dtype=np.float32) + _HALF) * inverse
    starts = np.clip(np.ceil(centres - radius - _HALF), 0, size - 1).astype(np.int64)
    ends = np.clip(np.floor(centres + radius - _HALF), 0, size - 1).astype(np.int64) + 1
    places = starts[:, None] + np.arange((ends - starts).max())
    distance = np.abs((places.astype(np.float32) + _HALF - centres[:, None]) * (_ONE / radius))
    raw = np.where(places < ends[:, None], np.maximum(_ONE - distance, 0), 0).astype(np.float32)
    sums = np.cumsum(raw, axis=1, dtype=np.float32)[:, -1:]  # one by one, as they are summed there
    return _Spans(starts, raw * (_ONE / sums))
