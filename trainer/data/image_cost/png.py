"""The chunks of a PNG, added up in a TensorFlow graph (RFC 2083)."""

import tensorflow as tf

from contract.image_cost.limits import (
    ALWAYS_CHEAP_PNG_BYTES,
    LONGEST_PNG_TEXT,
    MAX_INFLATION,
    MAX_PNG_CHUNKS,
    MAX_PNG_TEXT_BYTES,
    png_data_allowed,
    png_raw_bytes,
)

_SIGNATURE_BYTES, _HEAD_BYTES, _AROUND_CONTENT = 8, 8, 12
_HEADER_PLACE, _HEADER_BYTES = 16, 10
_CHANNELS = (1, 4, 3, 1, 2, 4, 4, 4)
_BIG_ENDIAN = (1 << 24, 1 << 16, 1 << 8, 1)
_TEXTS = (b"zTXt", b"iTXt", b"iCCP")


def has_little_data(content: tf.Tensor) -> tf.Tensor:
    """Return whether a PNG has no more data and texts than its pixels need, bool [].

    Its chunks are walked through if it is long enough to be costly: 20 microseconds for each, a few milliseconds for
    a photograph, whose decoding takes ten times as long.
    """
    length = tf.cast(tf.strings.length(content), tf.int64)
    return tf.cond(
        length <= ALWAYS_CHEAP_PNG_BYTES, lambda: tf.constant(value=True), lambda: _chunks_fit(content, length)
    )


def _chunks_fit(content: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    def goes_on(at: tf.Tensor, number: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return (at <= length - _HEAD_BYTES) & (number <= MAX_PNG_CHUNKS)

    def add(at: tf.Tensor, number: tf.Tensor, data: tf.Tensor, texts: tf.Tensor) -> list[tf.Tensor]:
        size = _number(tf.cast(_bytes_at(content, at, 4), tf.int64))
        name = _name_at(content, at + 4)
        could_become = tf.minimum(size * MAX_INFLATION, LONGEST_PNG_TEXT)
        return [
            tf.where(name == b"IEND", length, at + size + _AROUND_CONTENT),
            number + 1,
            data + tf.where(name == b"IDAT", size, 0),
            texts + tf.where(tf.reduce_any(name == tf.constant(_TEXTS)), could_become, 0),
        ]

    zero = tf.zeros([], tf.int64)
    start = [tf.constant(_SIGNATURE_BYTES, tf.int64), zero, zero, zero]
    _, number, data, texts = tf.while_loop(goes_on, add, start, parallel_iterations=1)
    allowed = png_data_allowed(_raw_bytes(content))
    return (number <= MAX_PNG_CHUNKS) & (data <= allowed) & (texts <= MAX_PNG_TEXT_BYTES)


def _raw_bytes(content: tf.Tensor) -> tf.Tensor:
    header = tf.cast(_bytes_at(content, tf.constant(_HEADER_PLACE, tf.int64), _HEADER_BYTES), tf.int64)
    channels = tf.gather(tf.constant(_CHANNELS, tf.int64), tf.minimum(header[9], len(_CHANNELS) - 1))
    raw: tf.Tensor = png_raw_bytes(_number(header[:4]), _number(header[4:8]), header[8] * channels)
    return raw


def _number(digits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(digits * tf.constant(_BIG_ENDIAN, tf.int64))


def _bytes_at(content: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    piece = tf.strings.substr(content, at, tf.constant(count, tf.int64))
    return tf.io.decode_raw(piece[None], tf.uint8, fixed_length=count)[0]


def _name_at(content: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return tf.strings.substr(content, at, tf.constant(4, tf.int64))
