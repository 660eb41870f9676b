"""The EXIF orientation of an encoded image, wherever its file keeps it, read in a TensorFlow graph.

Bytes that only look like EXIF, in XMP, a comment, a thumbnail or the pixels, do not count: the file is walked through
from its beginning.
"""

import tensorflow as tf

from contract.image_input import Encoding
from trainer.data.image_headers import JPEG, PNG, WEBP, WEBP_WITH_ALPHA
from trainer.data.jpeg.segments import read_head
from trainer.data.orientation.chunks import Chunk, png_exif, webp_exif
from trainer.data.orientation.pieces import bytes_at, length_of
from trainer.data.orientation.tiff import orientation_in

EXIF_ENCODINGS: tuple[Encoding, ...] = ("jpeg", "png", "webp")
"""File types that can have an orientation."""

_EXIF_AND_REST, _PNG_EXIF_AND_REST = r"Exif\x00\x00\C*", r"eXIf\C*"  # \C is any byte
_ALWAYS_WALKED_BYTES = 64 * 1024
"""To walk through a longer JPEG costs less than to search it."""

_WEBP_FLAGS_AT, _WEBP_EXIF_FLAG = 20, 0x08


def jpeg_orientation(content: tf.Tensor) -> tf.Tensor:
    """Return a JPEG's orientation, int32 [] of 1 to 8; 1, upright, if it has none.

    Fails with InvalidArgument if it has more segments before it than a JPEG may have.
    """

    def read() -> tf.Tensor:
        head = read_head(content, up_to_exif=True)
        return _unless_costly(orientation_in(head.exif), head.few_segments, "too many segments")

    may_have = (length_of(content) > _ALWAYS_WALKED_BYTES) | _contains(content, _EXIF_AND_REST)
    return tf.cond(may_have, read, _upright)


def other_orientation(content: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    """Return the orientation of a PNG or WebP, as `jpeg_orientation`; `kind` is one of `image_headers`."""
    png = (kind == PNG) & _contains(content, _PNG_EXIF_AND_REST)
    flags = bytes_at(content, tf.constant(_WEBP_FLAGS_AT, tf.int64), 1)[0]
    is_extended = tf.strings.substr(content, 12, 4) == b"VP8X"
    webp = ((kind == WEBP) | (kind == WEBP_WITH_ALPHA)) & is_extended & (flags & _WEBP_EXIF_FLAG > 0)
    return tf.cond(
        png,
        lambda: _of_chunk(png_exif(content)),
        lambda: tf.cond(webp, lambda: _of_chunk(webp_exif(content)), _upright),
    )


def read_orientation(content: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    """Return the orientation of an image of any kind, as `jpeg_orientation`."""
    return tf.cond(kind == JPEG, lambda: jpeg_orientation(content), lambda: other_orientation(content, kind))


def _of_chunk(chunk: Chunk) -> tf.Tensor:
    return _unless_costly(orientation_in(chunk.content), chunk.few_chunks, "too many chunks")


def _unless_costly(orientation: tf.Tensor, cheap: tf.Tensor, sentence: str) -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Assert(condition=cheap, data=[sentence])]):
        return tf.identity(orientation)


def _contains(content: tf.Tensor, mark_and_rest: str) -> tf.Tensor:
    before = tf.strings.regex_replace(content, mark_and_rest, "", replace_global=False)
    return tf.strings.length(before) < tf.strings.length(content)


def _upright() -> tf.Tensor:
    return tf.ones([], tf.int32)
