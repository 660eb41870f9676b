"""How many pixels an encoded image declares, by its header; see `trainer.data.image_headers` for the offsets."""

from contract.image_cost.jpeg import is_jpeg, read_frame
from contract.image_cost.png import is_png

MAX_REQUEST_PIXELS = 200_000_000
"""Of all images in one request, but for the first: 64 files of 34 bytes can declare 50 million each."""


def declared_pixels(content: bytes) -> int:
    """Return width times height of a JPEG, PNG, BMP or WebP, 0 for anything else."""
    if is_jpeg(content):
        frame = read_frame(content)
        return frame.width * frame.height if frame else 0
    if is_png(content):
        return int.from_bytes(content[16:20], "big") * int.from_bytes(content[20:24], "big")
    if content.startswith(b"BM"):
        return abs(_number(content, 18, 4) * _number(content, 22, 4))
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp_pixels(content)
    return 0


def _webp_pixels(content: bytes) -> int:
    kind = content[12:16]
    if kind == b"VP8X":
        return (_number(content, 24, 3, signed=False) + 1) * (_number(content, 27, 3, signed=False) + 1)
    if kind == b"VP8L":
        bits = _number(content, 21, 4, signed=False)
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        return (_number(content, 26, 2, signed=False) & 0x3FFF) * (_number(content, 28, 2, signed=False) & 0x3FFF)
    return 0


def _number(content: bytes, at: int, size: int, *, signed: bool = True) -> int:
    return int.from_bytes(content[at : at + size], "little", signed=signed)
