"""Where a JPEG's data end, and whether all of them are there, in a TensorFlow graph (ITU T.81).

Some cameras and apps write no end marker, or something else in its place. TensorFlow decodes no such image.
"""

from typing import NamedTuple

import tensorflow as tf

from contract.image_files.end_marks import (
    COEFFICIENTS,
    END,
    KEPT_TEXT,
    LONG_TEXT,
    MAY_FOLLOW,
    MOST_COMPONENTS,
    SCAN_HEAD,
    SCAN_HEAD_BYTES,
    STAND_INS,
)
from trainer.data.image_cost.jpeg import has_few_scans_without_end
from trainer.data.jpeg.segments import read_head

_STOPS = tuple(second not in MAY_FOLLOW for second in range(256))
_TEXT = r"[\x00\t\n\r -~]"
_LONG_TEXT = rf"({_TEXT}{{{KEPT_TEXT}}}){_TEXT}{{{LONG_TEXT - KEPT_TEXT},}}$"


class Endings(NamedTuple):
    """`has_end`, bool [], is whether the end marker is there.

    If not, `tried`, string [], are the image with several endings, on which its pixels do not depend if all its data
    are there.
    """

    has_end: tf.Tensor
    tried: tuple[tf.Tensor, ...]


def is_ended(content: tf.Tensor) -> tf.Tensor:
    """Return whether a JPEG ends with its end marker, as nearly all do, bool []."""
    return tf.strings.substr(content, -2, 2) == END


def with_endings(content: tf.Tensor, shape: tf.Tensor) -> Endings:
    """Look for the end marker, and put it where it is missing; `shape`, int64 [3], is that of the frame.

    Fails with InvalidArgument if no scan is there, or the scans do not have all coefficients: one may be missing then;
    or if there are so many that decoding the image thrice takes too long.
    """
    start = tf.maximum(read_head(content).scan, 0)  # behind thumbnails, which have an end marker of their own
    body = tf.strings.substr(content, start, tf.constant(-1, tf.int64))
    numbers = tf.io.decode_raw(body, tf.uint8)
    marks = tf.where(numbers[:-1] == 0xFF)[:, 0]
    seconds = tf.gather(numbers, marks + 1)
    stops = tf.boolean_mask(marks, tf.gather(tf.constant(_STOPS), tf.cast(seconds, tf.int32)))
    stop = tf.concat([stops, tf.size(numbers, tf.int64)[None]], 0)[0]
    has_end = tf.strings.substr(body, tf.minimum(stop, tf.size(numbers, tf.int64)), tf.constant(2, tf.int64)) == END
    data = tf.strings.regex_replace(tf.strings.substr(body, tf.zeros([], tf.int64), stop), _LONG_TEXT, r"\1")
    before = tf.strings.substr(content, tf.zeros([], tf.int64), start)
    scans = tf.raw_ops.StringSplitV2(input=data[None], sep=SCAN_HEAD, maxsplit=-1).values[1:]
    complete = has_end | _has_all_coefficients(scans, shape[2])
    cheap = has_end | has_few_scans_without_end(before, tf.size(scans), shape)
    asserted = [
        tf.raw_ops.Assert(condition=complete, data=["cut short"]),
        tf.raw_ops.Assert(condition=cheap, data=["too many scans without end marker"]),
    ]
    with tf.control_dependencies(asserted):
        before = tf.identity(before)
    stuffing = tf.where(tf.strings.substr(data, -1, 1) == b"\xff", b"\0", b"")
    return Endings(has_end, tuple(tf.strings.join([before, data, stuffing, each, END]) for each in STAND_INS))


def _has_all_coefficients(scans: tf.Tensor, components: tf.Tensor) -> tf.Tensor:
    """Return whether the scans have each coefficient of each component to its last bit, bool []."""
    heads = tf.cast(tf.io.decode_raw(scans, tf.uint8, fixed_length=SCAN_HEAD_BYTES), tf.int32)  # [scans, 13]
    count = tf.clip_by_value(heads[:, 1], 0, MOST_COMPONENTS)
    ids = tf.where(tf.range(MOST_COMPONENTS) < count[:, None], heads[:, 2:10:2], -1)
    first, last, bits = (tf.gather(heads, 2 + 2 * count + place, batch_dims=1) for place in range(3))
    place = tf.range(COEFFICIENTS)
    ends_there = (place >= first[:, None]) & (place <= last[:, None]) & (bits[:, None] % 16 == 0)
    of_component = tf.reduce_max(tf.one_hot(ids, 256), axis=1)  # [scans, 256]
    sent = tf.matmul(of_component, tf.cast(ends_there, tf.float32), transpose_a=True)
    return tf.reduce_sum(tf.cast(tf.reduce_all(sent > 0, axis=1), tf.int64)) == components
