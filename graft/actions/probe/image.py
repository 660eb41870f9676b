"""An image that is drawn, for a probe that was given none: the same pixels everywhere, and in no data set."""

import struct
import zlib

_SIDE = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def drawn_image() -> bytes:
    """Return a PNG of 256 x 256 pixels, RGB: a gradient, with rings and a grain."""
    rows = b"".join(b"\0" + bytes(value for x in range(_SIDE) for value in _pixel(x, y)) for y in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    ring = ((x - 96) ** 2 + (y - 128) ** 2) // 512 % 2 * 80
    grain = (x * 7919 + y * 104729) % 31
    return (x * 5 // 8 + ring) % 256, (y * 5 // 8 + grain) % 256, (255 - (x + y) // 3 + grain) % 256


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
