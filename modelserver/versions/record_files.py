"""TFRecord files, read without TensorFlow.

A record is its length (uint64, little-endian), that number's checksum, its bytes and their checksum: see "TFRecord and
tf.train.Example" in TensorFlow's guide. A checksum is a masked CRC-32C.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_MASK = 0xA282EAD8


class DamagedRecordError(Exception):
    """A file that does not hold whole records."""


def records_of(file: Path) -> Iterator[bytes]:
    """Yield each record's bytes.

    Raises:
        DamagedRecordError: the file ends within a record, or a checksum is wrong.
        OSError: it cannot be read.
    """
    content = memoryview(file.read_bytes())
    position = 0
    while position < len(content):
        number, position = _checked(content, position, _LENGTH.size)
        (length,) = _LENGTH.unpack(number)
        record, position = _checked(content, position, length)
        yield record


def masked_checksum(content: bytes) -> int:
    """Return the CRC-32C of the content as TFRecord files have it: rotated, and with a constant added."""
    checksum = int(google_crc32c.value(content))
    return ((checksum >> 15 | checksum << 17) + _MASK) & 0xFFFFFFFF


def _checked(content: memoryview, start: int, length: int) -> tuple[bytes, int]:
    """Return `length` bytes and where the next ones begin, behind their checksum."""
    end = start + length
    if end + _CHECKSUM.size > len(content):
        raise DamagedRecordError(f"it ends within the record at byte {start}")
    found = bytes(content[start:end])
    if _CHECKSUM.unpack_from(content, end) != (masked_checksum(found),):
        raise DamagedRecordError(f"the record at byte {start} is damaged")
    return found, end + _CHECKSUM.size
