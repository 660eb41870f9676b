"""The segments before a JPEG's first scan, walked through in a TensorFlow graph (ITU T.81)."""

from typing import NamedTuple

import tensorflow as tf

from contract.image_cost.limits import segments_allowed

_WINDOW_BYTES, _AHEAD = 256, 10
_EXIF_HEAD = tuple(b"\xff\xe1\0\0Exif\0\0")
_EXIF_SIZE_PLACES = (False, False, True, True, *[False] * 6)
_SIZE_WEIGHTS = (0, 0, 256, 1, *[0] * 6)
_BEFORE_EXIF = len(_EXIF_HEAD)
_LONGEST_UNDIVIDED = 60_000
"""Bytes of EXIF in a segment: a program that divides it over several fills each, up to 65,527."""

_MOST_EXIF_BYTES = 1_000_000
_NOTHING, _CONTENT, _WITHOUT_CONTENT, _SCAN, _END = range(5)
_KINDS = tuple(
    {0x01: _WITHOUT_CONTENT, 0xDA: _SCAN, 0xD9: _END}.get(
        marker, _WITHOUT_CONTENT if 0xD0 <= marker <= 0xD8 else _CONTENT
    )
    for marker in range(256)
)


class Head(NamedTuple):
    """What is before the first scan of a JPEG.

    `exif`, string [], is what its EXIF segments hold behind their prefix, empty without any. `scan`, int64 [], is the
    place of the first scan's marker, -1 if the walk ended before it. `few_segments`, bool [], is false if the walk was
    given up.
    """

    exif: tf.Tensor
    scan: tf.Tensor
    few_segments: tf.Tensor


def read_head(content: tf.Tensor, *, up_to_exif: bool = False) -> Head:
    """Walk through a JPEG's segments, as many as it may have for its length, 50 microseconds for each; never raises.

    With `up_to_exif` the walk ends with the EXIF data, which cameras write first.
    """
    length = tf.cast(tf.strings.length(content), tf.int64)
    most = segments_allowed(length)

    def may_end(exif: tf.Tensor) -> tf.Tensor:
        return _is_complete(exif) if up_to_exif else tf.constant(value=False)

    def goes_on(at: tf.Tensor, number: tf.Tensor, exif: tf.Tensor, _scan: tf.Tensor) -> tf.Tensor:
        return (at < length) & (number < most) & ~may_end(exif)

    def step(at: tf.Tensor, number: tf.Tensor, exif: tf.Tensor, scan: tf.Tensor) -> list[tf.Tensor]:
        found, place, head = _next_marker(content, at)
        kind = tf.where(found, tf.gather(tf.constant(_KINDS), tf.cast(head[1], tf.int32)), _NOTHING)
        size = tf.reduce_sum(tf.cast(head, tf.int64) * tf.constant(_SIZE_WEIGHTS, tf.int64))
        behind = place + tf.where(kind == _CONTENT, size + 2, 2)
        is_ours = tf.reduce_all((head == tf.constant(_EXIF_HEAD, tf.uint8)) | tf.constant(_EXIF_SIZE_PLACES))
        is_ours &= (size >= _BEFORE_EXIF - 2) & (behind <= length) & (tf.strings.length(exif) < _MOST_EXIF_BYTES)
        start, count = tf.where(is_ours, place + _BEFORE_EXIF, 0), tf.where(is_ours, behind - place - _BEFORE_EXIF, 0)
        return [
            tf.where(kind >= _SCAN, length, tf.where(kind == _NOTHING, at + _WINDOW_BYTES - _AHEAD, behind)),
            number + 1,
            tf.strings.join([exif, tf.strings.substr(content, start, count)]),
            tf.where(kind == _SCAN, place, scan),
        ]

    zero = tf.zeros([], tf.int64)
    start = [zero + 2, zero, tf.constant(b""), zero - 1]
    at, _, exif, scan = tf.while_loop(goes_on, step, start, parallel_iterations=1)
    return Head(exif, scan, (at >= length) | may_end(exif))


def _next_marker(content: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return whether a marker is in the window at `at`, its place, and ten bytes from there on, uint8 [10].

    Fill bytes and what is no marker are skipped, as decoders do.
    """
    piece = tf.strings.substr(content, at, tf.constant(_WINDOW_BYTES, tf.int64))
    window = tf.io.decode_raw(piece[None], tf.uint8, fixed_length=_WINDOW_BYTES)[0]
    first, second = window[: 1 - _AHEAD], window[1 : 2 - _AHEAD]
    is_marker = (first == 0xFF) & (second != 0xFF) & (second != 0)
    start = tf.argmax(is_marker)  # 0 if there is none
    return is_marker[start], at + start, tf.ensure_shape(window[start : start + _AHEAD], [_AHEAD])


def _is_complete(exif: tf.Tensor) -> tf.Tensor:
    length = tf.strings.length(exif)
    return (length >= 8) & (length < _LONGEST_UNDIVIDED)  # shorter than a TIFF's head: the next segment may have it
