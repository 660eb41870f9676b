"""Images that any guard lets through, and that carry markers for the fake model server."""

import struct
import zlib

_SIZE = 8


def marked_image(mark: str = "", number: int = 0) -> bytes:
    """Return a complete PNG of 8 x 8 pixels, `mark` and `number` in its text; each number is another image."""
    header = struct.pack(">IIBBBBB", _SIZE, _SIZE, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes([number % 251]) * 3 * _SIZE) * _SIZE
    text = f"Comment\0{mark} number {number}".encode("latin-1")
    chunks = ((b"IHDR", header), (b"tEXt", text), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
