"""What a picture's first bytes say, read for a whole batch at once in a TensorFlow graph.

Nothing here decodes. A 47 KB PNG can declare 20000 x 20000 pixels and cost 1.2 GB to decode, so kind and size are
known, and refused where they must be, before a decoder sees the bytes. Offsets are those of the formats'
specifications: PNG (ISO/IEC 15948), WebP (RFC 9649), BMP (BITMAPINFOHEADER), Exif 2.32 in a TIFF 6.0 directory.
"""

from typing import NamedTuple

import tensorflow as tf

NOT_A_PICTURE, JPEG, PNG, BMP, WEBP, WEBP_WITH_ALPHA = range(6)

_HEADER_BYTES = 66
_EXIF_SCAN_BYTES = 4096  # cameras write the EXIF segment first, behind at most a short JFIF segment
_EXIF_MAX_ENTRIES = 40
_EXIF_ENTRY_BYTES = 12
_ORIENTATION_TAG = 0x0112
_BMP_USUAL_FIELDS = bytes.fromhex("0000ff00 00ff0000 ff000000")  # red, green, blue; others are decoded as if these
_WEBP_ANIMATION_FLAG, _WEBP_ALPHA_FLAG = 0x02, 0x10


class Headers(NamedTuple):
    """What the rows of a batch declare.

    `kind` is int32 [N], one of this module's constants. `pixels` is int64 [N], width times height; 0 for what is
    not a picture, and for a JPEG, whose size lies behind segments of any length.
    """

    kind: tf.Tensor
    pixels: tf.Tensor


def read_headers(image_bytes: tf.Tensor) -> Headers:
    """Read kind and declared size of each encoded picture in `image_bytes`, string [N]. Never raises.

    Not among the kinds are GIF (its header lies about its frames), animated WebP (can abort the process) and BMP
    with a palette, compression or unusual bit fields (decoded wrongly in silence).
    """
    header = _Rows(image_bytes, _HEADER_BYTES)
    none = tf.zeros_like(header.byte(0))
    kind, width, height = none + NOT_A_PICTURE, none, none
    for read in (_read_png, _read_bmp, _read_webp_extended, _read_webp_lossless, _read_webp_lossy):
        found, its_kind, its_width, its_height = read(header)
        found &= (its_width > 0) & (its_height > 0)
        kind = tf.where(found, its_kind, kind)
        width, height = tf.where(found, its_width, width), tf.where(found, its_height, height)
    kind = tf.where(header.has(b"\xff\xd8\xff", at=0), JPEG, kind)
    return Headers(kind, tf.cast(width, tf.int64) * tf.cast(height, tf.int64))


def read_exif_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    """Read the EXIF orientation of each row of `image_bytes`, string [N], as int32 [N] of 1 to 8.

    1, which means upright, where a row has none in its first 4 KiB. Never raises.
    """
    rows = _Rows(image_bytes, _EXIF_SCAN_BYTES + 2 * _EXIF_MAX_ENTRIES * _EXIF_ENTRY_BYTES)
    tiff, found = rows.find(b"Exif\0\0", within=_EXIF_SCAN_BYTES)
    little = rows.gather(tiff) == ord("I")

    def short(position: tf.Tensor) -> tf.Tensor:
        first, second = rows.gather(position), rows.gather(position + 1)
        is_little = tf.reshape(little, [-1] + [1] * (len(position.shape) - 1))
        return tf.where(is_little, first + 256 * second, 256 * first + second)

    # a directory further than 64 KiB away is beyond what is scanned, so the low half of its offset is enough
    directory = tiff + tf.where(little, short(tiff + 4), short(tiff + 6))
    entry = directory[:, None] + 2 + _EXIF_ENTRY_BYTES * tf.range(_EXIF_MAX_ENTRIES)[None]
    exists = tf.range(_EXIF_MAX_ENTRIES)[None] < short(directory)[:, None]
    is_orientation = exists & (short(entry) == _ORIENTATION_TAG)
    value = tf.reduce_max(tf.where(is_orientation, short(entry + 8), 0), axis=1)
    return tf.where(found & (value >= 1) & (value <= 8), value, 1)


class _Rows:
    """The first bytes of each row, zero-padded, as int32 [N, length]."""

    def __init__(self, image_bytes: tf.Tensor, length: int) -> None:
        # with a fixed length this op pads and cuts, and so reads any bytes without raising
        raw = tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=length)
        self._bytes = tf.ensure_shape(tf.cast(raw, tf.int32), [None, length])
        self._length = length

    def byte(self, at: int) -> tf.Tensor:
        return self._bytes[:, at]

    def has(self, text: bytes, at: int) -> tf.Tensor:
        return tf.reduce_all(self._bytes[:, at : at + len(text)] == tf.constant([list(text)]), axis=1)

    def number(self, at: int, size: int, *, big_endian: bool = False) -> tf.Tensor:
        """Return the unsigned number of `size` bytes; with 4 bytes one from 2**31 comes out negative."""
        places = range(size - 1, -1, -1) if big_endian else range(size)
        total = tf.zeros_like(self.byte(at))
        for index, place in enumerate(places):
            total += self.byte(at + index) * (1 << (8 * place))
        return total

    def find(self, text: bytes, within: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the position behind the first `text` of each row, int32 [N], and whether there is one."""
        hit = tf.ones_like(self._bytes[:, :within], tf.bool)
        for index, value in enumerate(text):
            hit &= self._bytes[:, index : index + within] == value
        first = tf.argmax(tf.cast(hit, tf.int32), axis=1, output_type=tf.int32)
        return first + len(text), tf.reduce_any(hit, axis=1)

    def gather(self, position: tf.Tensor) -> tf.Tensor:
        """Return the bytes at `position`, int32 [N] or [N, K]; a position outside reads the nearest byte."""
        inside = tf.clip_by_value(position, 0, self._length - 1)
        return tf.gather(self._bytes, inside, batch_dims=1)


_Found = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
"""Whether the rows are of a format, and if so their kind, width and height."""


def _read_png(header: _Rows) -> _Found:
    found = header.has(b"\x89PNG\r\n\x1a\n", at=0) & header.has(b"IHDR", at=12)
    width, height = header.number(16, 4, big_endian=True), header.number(20, 4, big_endian=True)
    return found, tf.fill(tf.shape(width), PNG), width, height


def _read_bmp(header: _Rows) -> _Found:
    depth, compression = header.number(28, 2), header.number(30, 4)
    usual_fields = (compression == 3) & header.has(_BMP_USUAL_FIELDS, at=54)
    plain = ((depth == 24) & (compression == 0)) | ((depth == 32) & ((compression == 0) | usual_fields))
    found = header.has(b"BM", at=0) & plain
    width, height = header.number(18, 4), tf.abs(header.number(22, 4))  # negative: rows from top to bottom
    return found, tf.fill(tf.shape(width), BMP), width, height


def _read_webp_extended(header: _Rows) -> _Found:
    flags = header.byte(20)
    still = tf.bitwise.bitwise_and(flags, _WEBP_ANIMATION_FLAG) == 0
    alpha = tf.bitwise.bitwise_and(flags, _WEBP_ALPHA_FLAG) > 0
    width, height = header.number(24, 3) + 1, header.number(27, 3) + 1
    return _is_webp(header, b"VP8X") & still, tf.where(alpha, WEBP_WITH_ALPHA, WEBP), width, height


def _read_webp_lossless(header: _Rows) -> _Found:
    bits = header.number(21, 4)  # 14 bits of width - 1, 14 of height - 1, one that says alpha
    alpha = tf.bitwise.bitwise_and(bits, 1 << 28) != 0
    width = tf.bitwise.bitwise_and(bits, 0x3FFF) + 1
    height = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, 14), 0x3FFF) + 1
    return _is_webp(header, b"VP8L"), tf.where(alpha, WEBP_WITH_ALPHA, WEBP), width, height


def _read_webp_lossy(header: _Rows) -> _Found:
    width = tf.bitwise.bitwise_and(header.number(26, 2), 0x3FFF)
    height = tf.bitwise.bitwise_and(header.number(28, 2), 0x3FFF)
    return _is_webp(header, b"VP8 "), tf.fill(tf.shape(width), WEBP), width, height


def _is_webp(header: _Rows, chunk: bytes) -> tf.Tensor:
    return header.has(b"RIFF", at=0) & header.has(b"WEBP", at=8) & header.has(chunk, at=12)
