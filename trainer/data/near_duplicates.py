"""Near duplicates among decoded images: re-encoded, resized or slightly cropped copies.

ImageHash's phash proposes a pair, thumbnails of both confirm it. The hash alone would be enough for photos, but not
where different images look alike, such as handwritten digits: there a pair must also be far more similar than either is
to other images. docs/data.md says how the bounds were measured.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from trainer.data.fingerprints import Fingerprints

MOST_BITS = 10  # of 64; copies cut by 1 % on each side have at most 8, different photos of flowers at least 12

LEAST_CORRELATION = 0.9
COPY_CORRELATION = 0.998  # re-encoded or resized; of different digits with like hashes none is above 0.9914
_MOST_COLOUR = 20.0  # levels between mean colours, which correlation does not see: smooth backgrounds are all alike
_MOST_OF_USUAL = 0.15  # of what separates either from others; for digits at least 0.20, for cropped photos at most 0.11
_COPIES = 4  # an image and its copies together, at most; the next in likeness is taken for another image
_PLAIN = 2.0  # grey levels; an image that deviates less from its mean is one colour and noise, like any other such
_ROWS = 128
_MOST_PAIRS = 20  # of one image with others: a hundred frames of a still scene would be 4,950


class NearDuplicate(NamedTuple):
    """The numbers of two images that are nearly the same, and in how many of 64 bits their hashes differ."""

    first: int
    second: int
    bits: int


class NearDuplicates:
    """Finds near duplicates among the images of a whole data set; keeps some 3 KB for each.

    `copies` is how many images one image and its copies may be: the likeness to the next one counts as usual. Four find
    what was copied by hand or by mistake; more find bursts too, and also join some that only look alike.
    """

    def __init__(self, fingerprints: Fingerprints, copies: int = _COPIES) -> None:
        self._hashes = fingerprints.perceptual
        self._vectors = _standardised(fingerprints.thumbnails)
        self._colours = fingerprints.thumbnails.mean(axis=(1, 2), dtype=np.float32)
        self._usual = np.full(len(self._vectors), np.nan, np.float32)
        self._copies = copies

    def between(
        self, first: range, second: Sequence[int], least_correlation: float = LEAST_CORRELATION
    ) -> list[NearDuplicate]:
        """Return for each image number in `second` its copies in `first`, the nearest first; at most 20 of each."""
        return [
            NearDuplicate(*pair)
            for pairs in self._pairs(first, second)
            for pair in _nearest_of_each(pairs.where(pairs.correlation >= least_correlation)).tolist()
        ]

    def groups(self) -> npt.NDArray[np.int64]:
        """Return a number for the group of each image, int64 [N]: copies, and the copies of these, have the same."""
        count = len(self._vectors)
        group = np.arange(count)  # by the number of its first image
        for pairs in self._pairs(range(count), range(count)):
            if len(pairs.numbers):
                first, second = pairs.numbers[:, 0], pairs.numbers[:, 1]
                edges = (np.concatenate([np.arange(count), first]), np.concatenate([group, second]))
                links = coo_matrix((np.ones(len(edges[0]), np.int8), edges), (count, count))
                _, earliest, which = np.unique(
                    connected_components(links, directed=False)[1], return_index=True, return_inverse=True
                )
                group = earliest[which]
        return group

    def _pairs(self, first: range, second: Sequence[int]) -> Iterator["_Pairs"]:
        """Yield the pairs of each image in `first` and each in `second` that are copies of one another."""
        for rows in _chunks(np.array(second, np.int64)):
            found = self._alike(first, rows)
            usual = np.maximum(self._usual_of(found.numbers[:, 0]), self._usual_of(found.numbers[:, 1]))
            stands_out = 1 - found.correlation <= _MOST_OF_USUAL * (1 - usual)
            yield found.where(stands_out | (found.correlation >= COPY_CORRELATION))

    def _alike(self, first: range, rows: npt.NDArray[np.int64]) -> "_Pairs":
        """Return the pairs with similar hashes, colours and forms."""
        others = slice(first.start, first.stop)
        bits = np.bitwise_count(self._hashes[rows, None] ^ self._hashes[others])
        alike = bits <= MOST_BITS
        some = alike.any(axis=1)
        rows, bits, alike = rows[some], bits[some], alike[some]
        for means in self._colours.T:
            alike &= np.abs(means[rows, None] - means[others]) <= _MOST_COLOUR
        correlation = self._vectors[rows] @ self._vectors[others].T
        alike &= (correlation >= LEAST_CORRELATION) & (rows[:, None] != np.arange(first.start, first.stop))
        row, column = np.nonzero(alike)
        numbers = np.stack([column + first.start, rows[row], bits[row, column]], axis=1).astype(np.int64)
        return _Pairs(numbers, correlation[row, column])

    def _usual_of(self, images: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the correlation of each image with the most similar one that is not one of its copies."""
        rank = min(self._copies + 1, len(self._vectors))
        wanted = np.unique(images)
        for rows in _chunks(wanted[np.isnan(self._usual[wanted])]):
            self._usual[rows] = np.partition(self._vectors[rows] @ self._vectors.T, -rank, axis=1)[:, -rank]
        return self._usual[images]


class _Pairs(NamedTuple):
    """`numbers` int64 [P, 3], like NearDuplicate, and the `correlation` of the two images, float32 [P]."""

    numbers: npt.NDArray[np.int64]
    correlation: npt.NDArray[np.float32]

    def where(self, kept: npt.NDArray[np.bool_]) -> "_Pairs":
        return _Pairs(self.numbers[kept], self.correlation[kept])


def _nearest_of_each(pairs: _Pairs) -> npt.NDArray[np.int64]:
    """Return the numbers by second image, its most similar pairs first and no more than 20."""
    numbers = pairs.numbers[np.lexsort((-pairs.correlation, pairs.numbers[:, 1]))]
    starts = np.searchsorted(numbers[:, 1], numbers[:, 1])
    return np.asarray(numbers[np.arange(len(numbers)) - starts < _MOST_PAIRS])


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
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
