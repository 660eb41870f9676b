"""The orientation in the first directory of a TIFF (Exif 2.32, TIFF 6.0), read as Pillow reads it."""

import struct

import tensorflow as tf

from trainer.data.orientation.pieces import bytes_at, length_of, piece_at

_PREFIXES = r"^(?:Exif\x00\x00)+"  # some programs write it twice, and in WebP and PNG, where it does not belong
_LITTLE = (b"II*\0", b"II\0*")  # the second number is wrong, and read by Pillow all the same
_BIG = (b"MM\0*", b"MM*\0")
_ENTRY_BYTES, _ORIENTATION_TAG = 12, 0x0112
_INLINE_BYTES, _LONGEST_VALUE = 4, 8

_SHORTS, _LONGS, _RATIONALS = (3, 8), (4, 9, 13), (5, 10)
_SIGNED_BYTE, _FLOAT, _DOUBLE = 6, 11, 12
_VALUE_BYTES = (0, 0, 0, 2, 4, 8, 1, 0, 2, 4, 8, 4, 8, 4)
"""By TIFF type; 0 for those that are no number to Pillow: bytes, text, undefined."""

_FLOATS = tuple(int.from_bytes(struct.pack(">f", value), "big") for value in range(9))
_DOUBLES = tuple(int.from_bytes(struct.pack(">d", value), "big") for value in range(9))


def orientation_in(exif: tf.Tensor) -> tf.Tensor:
    """Return the orientation in EXIF data, string [], as int32 [] of 1 to 8; 1, upright, if there is none.

    The data are a TIFF, behind any number of EXIF prefixes. Values of any type that is a number count, wherever they
    are stored; of several orientations the first one does. Never raises.
    """
    tiff = tf.strings.regex_replace(exif, _PREFIXES, "", replace_global=False)
    mark = piece_at(tiff, tf.zeros([], tf.int64), 4)
    reader = _Reader(tiff, tf.reduce_any(mark == tf.constant(_LITTLE)))
    directory = reader.number(tf.constant(4, tf.int64), 4)
    count = reader.number(directory, 2)
    room = (length_of(tiff) - directory - 2) // _ENTRY_BYTES  # a directory that is cut off has entries all the same
    count = tf.clip_by_value(room, 0, count)
    entries = tf.io.decode_raw(piece_at(tiff, directory + 2, count * _ENTRY_BYTES), tf.uint8)
    numbers = tf.reshape(tf.cast(entries, tf.int64), [-1, _ENTRY_BYTES])
    is_ours = (reader.joined(numbers[:, :2]) == _ORIENTATION_TAG) & reader.is_usable(reader.joined(numbers[:, 2:4]))
    number = tf.argmax(tf.concat([is_ours, [True]], 0))  # the first one; behind the last if there is none
    value = reader.value(directory + 2 + number * _ENTRY_BYTES)
    known = tf.reduce_any(mark == tf.constant(_LITTLE + _BIG))
    found = known & (number < count) & (value >= 1) & (value <= 8)
    return tf.cast(tf.where(found, value, 1), tf.int32)


class _Reader:
    """Reads numbers of a TIFF in its byte order."""

    def __init__(self, tiff: tf.Tensor, little_endian: tf.Tensor) -> None:
        self._tiff = tiff
        self._little_endian = little_endian

    def joined(self, digits: tf.Tensor) -> tf.Tensor:
        """Return the numbers of bytes, int64 [..., K], as int64 [...]."""
        weights = tf.constant([1 << (8 * place) for place in range(digits.shape[-1])], tf.int64)
        ordered = tf.where(self._little_endian, weights, weights[::-1])
        return tf.reduce_sum(digits * ordered, axis=-1)

    def number(self, at: tf.Tensor, size: int) -> tf.Tensor:
        return self.joined(bytes_at(self._tiff, at, size))

    def is_usable(self, kinds: tf.Tensor) -> tf.Tensor:
        return _value_bytes(kinds) > 0

    def value(self, entry: tf.Tensor) -> tf.Tensor:
        """Return the first value of the entry at a place, int64 []; 0 if it is not whole, or not a whole number."""
        kind, count = self.number(entry + 2, 2), self.number(entry + 4, 4)
        size = _value_bytes(kind) * count
        place = tf.where(size <= _INLINE_BYTES, entry + 8, self.number(entry + 8, 4))
        digits = bytes_at(self._tiff, place, _LONGEST_VALUE)
        short, long, rest, double = (self.joined(part) for part in (digits[:2], digits[:4], digits[4:], digits))
        ratio = tf.where(long % tf.maximum(rest, 1) == 0, long // tf.maximum(rest, 1), 0)
        values = {
            _SIGNED_BYTE: digits[0],
            **dict.fromkeys(_SHORTS, short),
            **dict.fromkeys(_LONGS, long),
            **dict.fromkeys(_RATIONALS, tf.where(rest > 0, ratio, 0)),
            _FLOAT: _place_in(_FLOATS, long),
            _DOUBLE: _place_in(_DOUBLES, double),
        }
        by_kind = tf.stack([values.get(each, tf.zeros([], tf.int64)) for each in range(len(_VALUE_BYTES))])
        is_whole = (size > 0) & (place + size <= length_of(self._tiff))
        return tf.where(is_whole, tf.gather(by_kind, tf.minimum(kind, len(_VALUE_BYTES) - 1)), 0)


def _value_bytes(kinds: tf.Tensor) -> tf.Tensor:
    """Return how many bytes a value of each type has; 0 for what is no number."""
    table = tf.constant((*_VALUE_BYTES, 0), tf.int64)
    return tf.gather(table, tf.minimum(kinds, len(_VALUE_BYTES)))


def _place_in(numbers: tuple[int, ...], value: tf.Tensor) -> tf.Tensor:
    """Return the place of a number, 0 if it is not among them; the number at 0 does not count."""
    places = tf.range(len(numbers), dtype=tf.int64)
    return tf.reduce_sum(tf.where(tf.constant(numbers, tf.int64) == value, places, 0))
