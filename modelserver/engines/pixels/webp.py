"""Still WebPs, decoded by libwebp in Pillow: the same bits as in TensorFlow (RFC 9649)."""

import io
import struct

from PIL import Image, WebPImagePlugin

from modelserver.engines.pixels.errors import UnprovedImageError
from modelserver.engines.pixels.from_pillow import rgb_pixels
from modelserver.engines.pixels.headers import Header
from modelserver.model.decoded_images import Pixels

_PILLOWS_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error)
_RIFF_HEAD, _CHUNK_HEAD = 12, 8
_MOST_CHUNKS, _MOST_PIXELS = 20, 20_000_000
"""Pillow takes 15 bytes for a pixel, and TensorFlow five."""

_STILL = {b"VP8X", b"VP8 ", b"VP8L", b"ICCP", b"EXIF", b"XMP "}


def decode(content: bytes, header: Header) -> Pixels:
    """Return the pixels of an opaque WebP, uint8 [H, W, 3] RGB.

    Raises:
        UnprovedImageError: it is of a kind that other decoders may decode otherwise, or has a fault.
    """
    if header.pixels > _MOST_PIXELS:
        raise UnprovedImageError("a very large WebP")
    _check(content)
    try:
        with WebPImagePlugin.WebPImageFile(io.BytesIO(content)) as image:
            return _pixels(image)
    except _PILLOWS_ERRORS as error:
        raise UnprovedImageError("a WebP with a fault") from error


def _pixels(image: Image.Image) -> Pixels:
    if image.mode != "RGB" or getattr(image, "n_frames", 1) != 1:
        raise UnprovedImageError("an unusual WebP")
    return rgb_pixels(image)


def _check(content: bytes) -> None:
    """Refuse chunks that are unknown or do not fill the file: decoders disagree about these."""
    length = int.from_bytes(content[4:8], "little")
    if length + 8 != len(content):
        raise UnprovedImageError("a WebP with a fault")
    names: list[bytes] = []
    at = _RIFF_HEAD
    while at < len(content) and len(names) <= _MOST_CHUNKS:
        names.append(content[at : at + 4])
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += _CHUNK_HEAD + size + size % 2
    images = [name for name in names if name in {b"VP8 ", b"VP8L"}]
    if at != len(content) or len(images) != 1 or set(names) - _STILL:
        raise UnprovedImageError("an unusual WebP")
