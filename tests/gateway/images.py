"""Small images drawn by code, of every kind the tests need."""

import io
import struct

from PIL import Image


def draw(kind: str = "JPEG", colour: int = 0, mode: str = "RGB", mark: bytes = b"") -> bytes:
    """Return an image of 8 x 8 pixels in one colour; `mark` is appended where decoders do not look."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 255 - colour, 0)).convert(mode).save(buffer, kind)
    return buffer.getvalue() + mark


def draw_animation(kind: str) -> bytes:
    """Return an animation of two frames, as GIF, PNG or WEBP."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def draw_bmp_with_fields(fields: tuple[int, int, int]) -> bytes:
    """Return a BMP of 1 x 1 pixels whose channels lie where the masks for red, green and blue say."""
    information = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0)
    content = information + struct.pack("<III", *fields) + bytes(4)
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 14 + len(content) - 4) + content


def with_thumbnail(jpeg: bytes) -> bytes:
    """Return a JPEG with another one before it in a segment, as phones put their thumbnails."""
    content = b"Exif\0\0" + draw("JPEG")
    return jpeg[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]
