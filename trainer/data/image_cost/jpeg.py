"""The scans of a JPEG, counted in a TensorFlow graph."""

import tensorflow as tf

from contract.image_cost.limits import (
    ARITHMETIC_COST,
    CMYK_COST,
    MAX_SCANNED_PIXELS,
    MAX_SCANNED_PIXELS_WITHOUT_END,
    MAX_SCANS,
)

_SCAN = b"\xff\xda\x00"
"""The beginning of each scan: its marker, and the upper byte of its length, which is below 256.

In compressed data 0xff is followed by 0 or a restart marker, so there are no others but in thumbnails, and by chance
(one in 16 MB) in a video behind the image.
"""

_ARITHMETIC_FRAMES = (b"\xff\xc9\x00", b"\xff\xca\x00")  # sequential, progressive; others are not decoded


def has_few_scans(content: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Return whether a JPEG of so many pixels, int64 [], has few enough scans, bool []. Linear in its length."""
    scans = tf.cast(_count(content, _SCAN, MAX_SCANS + 1), tf.int64)
    scanned = scans * pixels
    # nearly always too few to matter, and then the whole image need not be searched again
    cheap = tf.cond(
        scanned * ARITHMETIC_COST <= MAX_SCANNED_PIXELS,
        lambda: tf.constant(value=True),
        lambda: (scanned <= MAX_SCANNED_PIXELS) & ~_may_be_arithmetic(content),
    )
    return cheap & (scans <= MAX_SCANS)


def has_few_scans_without_end(head: tf.Tensor, scans: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Return whether a JPEG to decode thrice has few enough scans, bool []; `head` is what is before the first one."""
    scanned = (
        tf.cast(scans, tf.int64) * shape[0] * shape[1] * tf.where(shape[2] == 4, tf.constant(CMYK_COST, tf.int64), 1)
    )
    return (scans <= MAX_SCANS) & (scanned <= MAX_SCANNED_PIXELS_WITHOUT_END) & ~_may_be_arithmetic(head)


def _may_be_arithmetic(content: tf.Tensor) -> tf.Tensor:
    return tf.add_n([_count(content, frame, 1) for frame in _ARITHMETIC_FRAMES]) > 0


def _count(content: tf.Tensor, mark: bytes, most: int) -> tf.Tensor:
    """Return how often `mark` is in a string, at most `most`."""
    # splitting is the only operation that finds bytes which are not UTF-8, and as fast as they can be read
    return tf.size(tf.raw_ops.StringSplitV2(input=content[None], sep=mark, maxsplit=most).values) - 1
