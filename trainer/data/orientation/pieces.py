"""Parts of an encoded image, by their places, in a TensorFlow graph. Nothing raises: what is outside is missing."""

import tensorflow as tf


def piece_at(content: tf.Tensor, at: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Return up to `count` bytes of a string from a place on, string []; `at` is int64 []."""
    length = tf.strings.length(content, unit="BYTE")
    start = tf.clip_by_value(at, 0, tf.cast(length, tf.int64))  # the operation fails for a place outside
    return tf.strings.substr(content, start, tf.cast(count, tf.int64))


def bytes_at(content: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    """Return `count` bytes as int64 [count]; zeros where the string has ended."""
    return tf.cast(tf.io.decode_raw(piece_at(content, at, count)[None], tf.uint8, fixed_length=count)[0], tf.int64)


def length_of(content: tf.Tensor) -> tf.Tensor:
    """Return the number of bytes, int64 []."""
    return tf.cast(tf.strings.length(content), tf.int64)
