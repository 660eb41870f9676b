"""Near duplicates among decoded images: re-encoded, resized or slightly cropped copies.

ImageHash's phash proposes a pair, thumbnails of both confirm it. The hash alone would be enough for photos, but not
where different images look alike, such as handwritten digits: there a pair must also be far more similar than either is
to other images. docs/data.md says how the bounds were measured.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.fingerprints import Fingerprints

MOST_BITS = 10  # of 64; copies cut by 1 % on each side have at most 8, different photos of flowers at least 12

_LEAST_CORRELATION = 0.9
_COPY_CORRELATION = 0.998  # re-encoded or resized; of different digits with like hashes none is above 0.9914
_MOST_COLOUR = 20.0  # levels between mean colours, which correlation does not see: smooth backgrounds are all alike
_MOST_OF_USUAL = 0.15  # of what separates either from others; for digits at least 0.20, for cropped photos at most 0.11
_COPIES = 4  # an image and its copies together, at most; the next in likeness is taken for another image
_PLAIN = 2.0  # grey levels; an image that deviates less from its mean is one colour and noise, like any other such
_ROWS = 128


class NearDuplicate(NamedTuple):
    """The numbers of two images that are nearly the same, and in how many of 64 bits their hashes differ."""

    first: int
    second: int
    bits: int


class NearDuplicates:
    """Finds near duplicates among the images of a whole data set; keeps some 3 KB for each."""

    def __init__(self, fingerprints: Fingerprints) -> None:
        self._hashes = fingerprints.perceptual
        self._vectors = _standardised(fingerprints.thumbnails)
        self._colours = fingerprints.thumbnails.mean(axis=(1, 2), dtype=np.float32)

    def between(self, first: range, second: Sequence[int]) -> list[NearDuplicate]:
        """Return for each image number in `second` its nearest copy in `first`, if it has one."""
        found = np.concatenate([self._nearest(first, rows) for rows in _chunks(np.array(second, np.int64))])
        if not len(found):
            return []
        correlation = np.einsum("pv,pv->p", self._vectors[found[:, 0]], self._vectors[found[:, 1]])
        usual = np.maximum(self._usual_correlation(found[:, 0]), self._usual_correlation(found[:, 1]))
        stands_out = 1 - correlation <= _MOST_OF_USUAL * (1 - usual)
        return [NearDuplicate(*pair) for pair in found[stands_out | (correlation >= _COPY_CORRELATION)].tolist()]

    def _nearest(self, first: range, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return int64 [P, 3], like NearDuplicate: the most similar pair of each row that has a similar hash."""
        bits = np.bitwise_count(self._hashes[rows, None] ^ self._hashes[first.start : first.stop])
        alike = bits <= MOST_BITS
        some = alike.any(axis=1)
        rows, bits, alike = rows[some], bits[some], alike[some]
        for means in self._colours.T:
            alike &= np.abs(means[rows, None] - means[first.start : first.stop]) <= _MOST_COLOUR
        correlation = np.where(alike, self._vectors[rows] @ self._vectors[first.start : first.stop].T, -1)
        best = correlation.argmax(axis=1)
        each = np.arange(len(rows))
        pairs = np.stack([best + first.start, rows, bits[each, best]], axis=1).astype(np.int64)
        return np.asarray(pairs[correlation[each, best] >= _LEAST_CORRELATION])

    def _usual_correlation(self, images: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the correlation of each image with the most similar one that is not one of its copies."""
        rank = min(_COPIES + 1, len(self._vectors))
        best = [
            np.partition(self._vectors[rows] @ self._vectors.T, -rank, axis=1)[:, -rank] for rows in _chunks(images)
        ]
        return np.concatenate(best)


def _standardised(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return rows whose products are correlations, float32 [N, V]: zeros for an image of one colour."""
    vectors = np.empty((len(thumbnails), thumbnails[0].size if len(thumbnails) else 0), np.float32)
    for rows in _chunks(np.arange(len(thumbnails))):  # the whole at once would take several times the memory
        channels = thumbnails[rows].reshape(len(rows), -1, 3).astype(np.float32)
        centred = (channels - channels.mean(axis=1, keepdims=True)).reshape(len(rows), -1)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
        scale = np.where(deviation < _PLAIN, 0, 1 / np.maximum(deviation, _PLAIN))
        vectors[rows] = centred * scale / np.sqrt(vectors.shape[1])
    return vectors


def _chunks(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    return (rows[start : start + _ROWS] for start in range(0, max(1, len(rows)), _ROWS))
