"""Image headers, read for a whole batch at once in a TensorFlow graph.

Nothing is decoded here. A 47 KB PNG can declare 20000 x 20000 pixels and cost 1.2 GB to decode, so kind and size are
checked before a decoder gets the bytes. Offsets are those of the formats'
specifications: PNG (ISO/IEC 15948), WebP (RFC 9649), BMP (BITMAPINFOHEADER).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

NOT_A_IMAGE, JPEG, PNG, BMP, WEBP, WEBP_WITH_ALPHA = range(6)

_HEADER_BYTES = 66
_WEBP_ANIMATION_FLAG, _WEBP_ALPHA_FLAG = 0x02, 0x10


class Headers(NamedTuple):
    """What the headers of a batch declare.

    `kind` is int32 [N], one of this module's constants. `pixels` is int64 [N], width times height; 0 for what is
    not an image, and for a JPEG, whose size is stored after segments of any length.
    """

    kind: tf.Tensor
    pixels: tf.Tensor


def read_headers(image_bytes: tf.Tensor) -> Headers:
    """Read kind and declared size of each encoded image in `image_bytes`, string [N]. Never raises.

    Not among the kinds are GIF (its header lies about its frames), animated WebP (can abort the process) and BMP
    with a palette, compression or unusual bit fields (silently decoded wrongly).
    """
    header = _Header(image_bytes)
    none = tf.zeros([tf.shape(image_bytes)[0]], tf.int32)
    kind, width, height = none + NOT_A_IMAGE, none, none
    for read in (_read_png, _read_bmp, _read_webp_extended, _read_webp_lossless, _read_webp_lossy):
        found, its_kind, its_width, its_height = read(header)
        found &= (its_width > 0) & (its_height > 0)
        kind = tf.where(found, its_kind, kind)
        width, height = tf.where(found, its_width, width), tf.where(found, its_height, height)
    kind = tf.where(header.has(_JPEG), JPEG, kind)
    return Headers(kind, tf.cast(width, tf.int64) * tf.cast(height, tf.int64))


def is_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    """Return which of the encoded images, string of any shape, are JPEGs by their first bytes; fast."""
    ((at, mark),) = _JPEG
    return tf.strings.substr(image_bytes, at, len(mark)) == mark


_Found = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
"""Whether the rows are of a format, and if so their kind, width and height."""

_Mark = tuple[tuple[int, bytes], ...]
_PNG: _Mark = ((0, b"\x89PNG\r\n\x1a\n"), (12, b"IHDR"))
_BMP: _Mark = ((0, b"BM"),)
_BMP_USUAL_FIELDS: _Mark = (
    (54, bytes.fromhex("0000ff00 00ff0000 ff000000")),
)  # red, green, blue: others decode as these
_JPEG: _Mark = ((0, b"\xff\xd8\xff"),)
_WEBP_EXTENDED, _WEBP_LOSSLESS, _WEBP_LOSSY = (
    ((0, b"RIFF"), (8, b"WEBP"), (12, chunk)) for chunk in (b"VP8X", b"VP8L", b"VP8 ")
)
_MARKS: tuple[_Mark, ...] = (_PNG, _BMP, _BMP_USUAL_FIELDS, _JPEG, _WEBP_EXTENDED, _WEBP_LOSSLESS, _WEBP_LOSSY)
"""The magic bytes of each format: offsets and bytes."""

_Number = tuple[int, int, bool]
_PNG_WIDTH, _PNG_HEIGHT = (16, 4, True), (20, 4, True)
_BMP_WIDTH, _BMP_HEIGHT, _BMP_DEPTH, _BMP_COMPRESSION = (18, 4, False), (22, 4, False), (28, 2, False), (30, 4, False)
_WEBP_FLAGS, _WEBP_WIDTH, _WEBP_HEIGHT = (20, 1, False), (24, 3, False), (27, 3, False)
_LOSSLESS_BITS = (21, 4, False)
_LOSSY_WIDTH, _LOSSY_HEIGHT = (26, 2, False), (28, 2, False)
_NUMBERS: tuple[_Number, ...] = (
    *(_PNG_WIDTH, _PNG_HEIGHT, _BMP_WIDTH, _BMP_HEIGHT, _BMP_DEPTH, _BMP_COMPRESSION),
    *(_WEBP_FLAGS, _WEBP_WIDTH, _WEBP_HEIGHT, _LOSSLESS_BITS, _LOSSY_WIDTH, _LOSSY_HEIGHT),
)
"""The numbers in the headers: offset, size in bytes, and whether the byte order is big-endian."""


class _Header:
    """All marks and numbers of each row, read at once: for small batches the number of operations decides the time."""

    def __init__(self, image_bytes: tf.Tensor) -> None:
        header = _read_first(image_bytes, _HEADER_BYTES)
        fits = tf.reduce_all((header[:, None] == _mark_bytes()) | ~_mark_places(), axis=2)
        self._marks = dict(zip(_MARKS, tf.unstack(fits, axis=1), strict=True))
        numbers = tf.matmul(tf.cast(header, tf.int32), _digit_factors())
        self._numbers = dict(zip(_NUMBERS, tf.unstack(numbers, axis=1), strict=True))

    def has(self, mark: _Mark) -> tf.Tensor:
        """Return which rows have a mark, bool [N]."""
        return self._marks[mark]

    def number(self, number: _Number) -> tf.Tensor:
        """Return an unsigned number of each row, int32 [N]; with 4 bytes one from 2**31 comes out negative."""
        return self._numbers[number]


def _mark_bytes() -> npt.NDArray[np.uint8]:
    table = np.zeros((len(_MARKS), _HEADER_BYTES), np.uint8)
    for row, mark in zip(table, _MARKS, strict=True):
        for at, text in mark:
            row[at : at + len(text)] = list(text)
    return table


def _mark_places() -> npt.NDArray[np.bool_]:
    table = np.zeros((len(_MARKS), _HEADER_BYTES), np.bool_)
    for row, mark in zip(table, _MARKS, strict=True):
        for at, text in mark:
            row[at : at + len(text)] = True
    return table


def _digit_factors() -> npt.NDArray[np.int32]:
    table = np.zeros((_HEADER_BYTES, len(_NUMBERS)), np.int32)
    for column, (at, size, big_endian) in enumerate(_NUMBERS):
        places = range(size - 1, -1, -1) if big_endian else range(size)
        table[at : at + size, column] = [1 << (8 * place) for place in places]
    return table


def _read_first(image_bytes: tf.Tensor, length: int) -> tf.Tensor:
    # with a fixed length this op pads and cuts, and so reads any bytes without raising
    return tf.ensure_shape(tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=length), [None, length])


def _read_png(header: _Header) -> _Found:
    width, height = header.number(_PNG_WIDTH), header.number(_PNG_HEIGHT)
    return header.has(_PNG), tf.fill(tf.shape(width), PNG), width, height


def _read_bmp(header: _Header) -> _Found:
    depth, compression = header.number(_BMP_DEPTH), header.number(_BMP_COMPRESSION)
    usual_fields = (compression == 3) & header.has(_BMP_USUAL_FIELDS)
    plain = ((depth == 24) & (compression == 0)) | ((depth == 32) & ((compression == 0) | usual_fields))
    width, height = header.number(_BMP_WIDTH), tf.abs(header.number(_BMP_HEIGHT))  # negative: from top to bottom
    return header.has(_BMP) & plain, tf.fill(tf.shape(width), BMP), width, height


def _read_webp_extended(header: _Header) -> _Found:
    flags = header.number(_WEBP_FLAGS)
    still = tf.bitwise.bitwise_and(flags, _WEBP_ANIMATION_FLAG) == 0
    alpha = tf.bitwise.bitwise_and(flags, _WEBP_ALPHA_FLAG) > 0
    width, height = header.number(_WEBP_WIDTH) + 1, header.number(_WEBP_HEIGHT) + 1
    return header.has(_WEBP_EXTENDED) & still, tf.where(alpha, WEBP_WITH_ALPHA, WEBP), width, height


def _read_webp_lossless(header: _Header) -> _Found:
    bits = header.number(_LOSSLESS_BITS)  # 14 bits of width - 1, 14 of height - 1, one that says alpha
    alpha = tf.bitwise.bitwise_and(bits, 1 << 28) != 0
    width = tf.bitwise.bitwise_and(bits, 0x3FFF) + 1
    height = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, 14), 0x3FFF) + 1
    return header.has(_WEBP_LOSSLESS), tf.where(alpha, WEBP_WITH_ALPHA, WEBP), width, height


def _read_webp_lossy(header: _Header) -> _Found:
    width = tf.bitwise.bitwise_and(header.number(_LOSSY_WIDTH), 0x3FFF)
    height = tf.bitwise.bitwise_and(header.number(_LOSSY_HEIGHT), 0x3FFF)
    return header.has(_WEBP_LOSSY), tf.fill(tf.shape(width), WEBP), width, height
