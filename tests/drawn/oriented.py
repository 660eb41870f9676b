"""Small images that a camera held sideways, with the EXIF data where programs put them."""

import struct
import zlib
from dataclasses import dataclass

from tests.drawn.images import encoded, gradient

EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
VALUE_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
"""TIFF's types of one number; 5 and 10 are two of them."""

XMP = (
    b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation='3' note='"
    + EXIF
    + b"II*\0'/></x:xmpmeta>"
)
"""Text that has what EXIF begins with, and an orientation that is not EXIF's."""


@dataclass(frozen=True)
class Tiff:
    """A TIFF that says an orientation: how, and where in the file and the directory."""

    orientation: int
    order: str = "<"
    type: int = 3
    count: int = 1
    directory_at: int = 8
    tags_before: int = 0
    tags_behind: int = 0
    thumbnail: int = 0
    """The orientation in the second directory, which is the thumbnail's; 0: there is none."""

    def content(self) -> bytes:
        """Return the file."""
        first = self._directory(self.directory_at)
        mark = b"II" if self.order == "<" else b"MM"
        head = mark + struct.pack(f"{self.order}HI", 42, self.directory_at)
        return head.ljust(self.directory_at, b"\x55") + first

    def _directory(self, at: int) -> bytes:
        filler = [self._entry(0x9000 + number, 4, 1, b"\x06\0\0\0") for number in range(self.tags_before)]
        behind = [self._entry(0xA000 + number, 3, 1, b"\0\x06\0\0") for number in range(self.tags_behind)]
        count = len(filler) + len(behind) + 1
        end = at + 2 + 12 * count + 4
        value = self._value()
        inline = value if len(value) <= 4 else struct.pack(f"{self.order}I", end)
        entries = [*filler, self._entry(ORIENTATION, self.type, self.count, inline), *behind]
        rest = value if len(value) > 4 else b""
        following = end + len(rest) if self.thumbnail else 0
        directory = struct.pack(f"{self.order}H", count) + b"".join(entries) + struct.pack(f"{self.order}I", following)
        return directory + rest + (Tiff(self.thumbnail, self.order)._directory(following) if self.thumbnail else b"")

    def _entry(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack(f"{self.order}HHI", tag, kind, count) + value.ljust(4, b"\0")[:4]

    def _value(self) -> bytes:
        if self.type in {5, 10}:
            return struct.pack(f"{self.order}II", 3 * self.orientation, 3) * self.count
        first = struct.pack(self.order + VALUE_FORMATS[self.type], self.orientation)
        return first + bytes(len(first)) * (self.count - 1)


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes, late: bytes = b"") -> bytes:
    """Return a JPEG with segments behind its start, and some right before its scan."""
    plain = encoded(gradient(), "JPEG", quality=95)
    scan = plain.index(b"\xff\xda")
    return plain[:2] + b"".join(segments) + plain[2:scan] + late + plain[scan:]


def png(tiff: bytes, *, behind_pixels: bool = False, text: bytes = b"", texts: int = 1) -> bytes:
    """Return a PNG with an eXIf chunk, none if it is empty, before or behind its pixels; `texts` are before it."""
    plain = encoded(gradient(), "PNG")
    place = len(plain) - 12 if behind_pixels else 33
    before = _png_chunk(b"tEXt", b"Comment\0" + text) * texts if text else b""
    return plain[:place] + before + (_png_chunk(b"eXIf", tiff) if tiff else b"") + plain[place:]


def webp(
    exif: bytes, *, before_pixels: bool = False, flagged: bool = True, extra: bytes = b"", extras: int = 1
) -> bytes:
    """Return a lossless WebP of 40 x 30 with an EXIF chunk, and other chunks before it."""
    plain = encoded(gradient(40, 30), "WEBP", lossless=True)
    pixels = plain[12:]
    extended = struct.pack("<BxxxHBHB", 0x08 if flagged else 0, 39, 0, 29, 0)
    metadata = (_riff_chunk(b"JUNK", extra) * extras if extra else b"") + _riff_chunk(b"EXIF", exif)
    body = _riff_chunk(b"VP8X", extended) + (metadata + pixels if before_pixels else pixels + metadata)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
