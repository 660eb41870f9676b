"""The EXIF chunk of a PNG (RFC 2083 and its extensions) or WebP (RFC 9649), found in a TensorFlow graph."""

from typing import NamedTuple

import tensorflow as tf

from contract.image_cost.limits import segments_allowed
from trainer.data.orientation.pieces import bytes_at, length_of, piece_at

_HEAD_BYTES = 8
_BIG_ENDIAN, _LITTLE_ENDIAN = (1 << 24, 1 << 16, 1 << 8, 1), (1, 1 << 8, 1 << 16, 1 << 24)


class Chunk(NamedTuple):
    """A chunk's `content`, string [], empty without one; `few_chunks` is false if the search was given up."""

    content: tf.Tensor
    few_chunks: tf.Tensor


class _Layout(NamedTuple):
    """`size_at` and `name_at` are places in a chunk's head; `around` is what a chunk has besides its content."""

    start: int
    size_at: int
    name_at: int
    around: int
    weights: tuple[int, ...]
    pads_to_even: bool
    wanted: bytes
    last: bytes


_PNG = _Layout(8, 0, 4, 12, _BIG_ENDIAN, pads_to_even=False, wanted=b"eXIf", last=b"IEND")
_WEBP = _Layout(12, 4, 0, 8, _LITTLE_ENDIAN, pads_to_even=True, wanted=b"EXIF", last=b"EXIF")


def png_exif(content: tf.Tensor) -> Chunk:
    """Return a PNG's EXIF data, which may be before or behind its pixels; of several, which are forbidden, the last."""
    return _find(content, _PNG)


def webp_exif(content: tf.Tensor) -> Chunk:
    """Return the first EXIF data of a WebP."""
    return _find(content, _WEBP)


def _find(content: tf.Tensor, layout: _Layout) -> Chunk:
    length = length_of(content)
    most = segments_allowed(length)

    def goes_on(at: tf.Tensor, number: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return (at <= length - _HEAD_BYTES) & (number < most)

    def step(at: tf.Tensor, number: tf.Tensor, start: tf.Tensor, size: tf.Tensor) -> list[tf.Tensor]:
        digits = bytes_at(content, at + layout.size_at, 4)
        its_size = tf.reduce_sum(digits * tf.constant(layout.weights, tf.int64))
        name = piece_at(content, at + layout.name_at, 4)
        found = name == layout.wanted
        padding = its_size % 2 if layout.pads_to_even else 0
        return [
            tf.where(name == layout.last, length, at + its_size + layout.around + padding),
            number + 1,
            tf.where(found, at + _HEAD_BYTES, start),
            tf.where(found, its_size, size),
        ]

    zero = tf.zeros([], tf.int64)
    at, _, start, size = tf.while_loop(goes_on, step, [zero + layout.start, zero, zero, zero], parallel_iterations=1)
    return Chunk(piece_at(content, start, size), at > length - _HEAD_BYTES)
