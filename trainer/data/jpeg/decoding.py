"""A JPEG, decoded in a TensorFlow graph as Pillow decodes it."""

import tensorflow as tf

from trainer.data.image_cost.jpeg import has_few_scans
from trainer.data.jpeg.ending import is_ended, with_endings

_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
"""A segment that says that four channels are CMYK, with 255 for no ink. A later one of the image overrules it."""

_CMYK_CHANNELS = 4


def decode_jpeg(content: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Return a JPEG's pixels, uint8 [height, width, 3] RGB, as they are stored.

    CMYK without Adobe's marker is read as with it, as Pillow and ImageMagick do. An image without end marker is decoded
    if nothing else is missing. Fails with InvalidArgument for an image that is damaged, cut short, has more than
    `max_pixels` or takes far more work than they need.
    """
    shape = tf.io.extract_jpeg_shape(content, output_type=tf.int64)
    pixels = tf.reduce_prod(shape[:2])
    # not tf.debugging.Assert, which wraps this one operation in two branches
    small_enough = tf.raw_ops.Assert(condition=pixels <= max_pixels, data=["too many pixels"])
    few_scans = tf.raw_ops.Assert(condition=has_few_scans(content, pixels), data=["too many scans"])
    is_cmyk = shape[2] == _CMYK_CHANNELS
    with tf.control_dependencies([small_enough, few_scans]):
        usual = is_ended(content) & ~is_cmyk  # one branch for all that is rare: each takes time
        return tf.cond(usual, lambda: _decode(content), lambda: _decode_unusual(content, shape, is_cmyk))


def _decode(content: tf.Tensor) -> tf.Tensor:
    # the default, INTEGER_FAST, is up to 6 grey levels off; this one is bit-identical to Pillow's
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_unusual(content: tf.Tensor, shape: tf.Tensor, is_cmyk: tf.Tensor) -> tf.Tensor:
    """Decode an image of CMYK, or one that does not end with its end marker but may have it before other bytes."""
    content = tf.cond(is_cmyk, lambda: _with_adobe_marker(content), lambda: content)
    endings = with_endings(content, shape)

    def decode_tried() -> tf.Tensor:
        image = _decode(endings.tried[0])
        for other in endings.tried[1:]:
            with tf.control_dependencies([image]):  # one after the other: each may have 150 MB
                again = _decode(tf.identity(other))
            # what is behind the last pixel has no influence, and what stands in for missing data has
            is_same = tf.reduce_all(image == again)
            with tf.control_dependencies([tf.raw_ops.Assert(condition=is_same, data=["cut short"])]):
                image = tf.identity(image)
        return image

    return tf.cond(endings.has_end, lambda: _decode(content), decode_tried)


def _with_adobe_marker(content: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([tf.strings.substr(content, 0, 2), _ADOBE, tf.strings.substr(content, 2, -1)])
