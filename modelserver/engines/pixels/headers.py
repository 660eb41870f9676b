"""The kind and the declared size of an encoded image, as `trainer.data.image_headers` reads them in a graph."""

from enum import Enum
from typing import NamedTuple

from contract.image_cost.jpeg import is_jpeg
from contract.image_cost.png import is_png

_HEADER_BYTES = 66
_WEBP_ANIMATION_FLAG, _WEBP_ALPHA_FLAG = 0x02, 0x10
_BMP_USUAL_FIELDS = bytes.fromhex("0000ff00 00ff0000 ff000000")


class ImageKind(Enum):
    """What the first bytes say. GIFs, animated WebPs and unusual BMPs are not images that are served."""

    NOT_AN_IMAGE = "not an image"
    JPEG = "a JPEG"
    PNG = "a PNG"
    BMP = "a BMP"
    WEBP = "a WebP"
    WEBP_WITH_ALPHA = "a WebP with transparency"


class Header(NamedTuple):
    """`height` is below 0 where the rows of a BMP begin at the top; 0 x 0 for a JPEG and what is not an image."""

    kind: ImageKind
    width: int = 0
    height: int = 0

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * abs(self.height)


NOTHING = Header(ImageKind.NOT_AN_IMAGE)


def read_header(content: bytes) -> Header:
    """Return what an encoded image says of itself, whatever the bytes are."""
    if is_jpeg(content):
        return Header(ImageKind.JPEG)
    head = content[:_HEADER_BYTES].ljust(_HEADER_BYTES, b"\0")
    found = _read(head)
    return found if found.width > 0 and found.height != 0 else NOTHING


def _read(head: bytes) -> Header:
    if is_png(head) and head[12:16] == b"IHDR":
        width, height = (int.from_bytes(head[at : at + 4], "big", signed=True) for at in (16, 20))
        return Header(ImageKind.PNG, width, max(height, 0))
    if head.startswith(b"BM"):
        return _read_bmp(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _read_webp(head)
    return NOTHING


def _read_bmp(head: bytes) -> Header:
    depth, compression = _number(head, 28, 2), _number(head, 30, 4)
    has_usual_fields = compression == 3 and head[54:66] == _BMP_USUAL_FIELDS
    if (depth == 24 and compression == 0) or (depth == 32 and (compression == 0 or has_usual_fields)):
        height = _number(head, 22, 4, signed=True)
        return Header(ImageKind.BMP, _number(head, 18, 4, signed=True), 0 if height == -(2**31) else height)
    return NOTHING


def _read_webp(head: bytes) -> Header:
    chunk = head[12:16]
    if chunk == b"VP8X":
        flags = head[20]
        if flags & _WEBP_ANIMATION_FLAG:
            return NOTHING
        kind = ImageKind.WEBP_WITH_ALPHA if flags & _WEBP_ALPHA_FLAG else ImageKind.WEBP
        return Header(kind, _number(head, 24, 3) + 1, _number(head, 27, 3) + 1)
    if chunk == b"VP8L":
        bits = _number(head, 21, 4)
        kind = ImageKind.WEBP_WITH_ALPHA if bits >> 28 & 1 else ImageKind.WEBP
        return Header(kind, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        return Header(ImageKind.WEBP, _number(head, 26, 2) & 0x3FFF, _number(head, 28, 2) & 0x3FFF)
    return NOTHING


def _number(head: bytes, at: int, size: int, *, signed: bool = False) -> int:
    return int.from_bytes(head[at : at + size], "little", signed=signed)
