"""Fields as they are on protobuf's wire, for those that are too large to be made by protobuf."""

_LENGTH_DELIMITED = 2


def field_head(number: int, length: int) -> bytes:
    """Return what is before the content, of `length` bytes, of field `number`: a string, message or packed numbers."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])
