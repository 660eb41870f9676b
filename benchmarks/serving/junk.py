"""What one bad client sends: files that are not images, truncated images, and images that fail only in decoding."""

import io
import random
from collections.abc import Sequence

from PIL import Image

_JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_BYTES = 30_000
_PNG_DATA = b"IDAT"


def junk(images: Sequence[bytes], seed: int = 1) -> list[bytes]:
    """Return files of about the size of images, none of them valid; `images` must be JPEGs.

    In turns: random bytes behind a JPEG's header, the first half of an image, and a whole PNG with damaged pixels,
    which looks valid from outside, so that only the model server finds it, in a batch with other images.
    """
    generator = random.Random(seed)
    files = []
    for image in images[:4]:
        files.append(_JPEG_START + generator.randbytes(_BYTES))
        files.append(image[: len(image) // 2])
        files.append(_damaged_png(image, generator))
    return files


def _damaged_png(image: bytes, generator: random.Random) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(image)) as opened:
        opened.resize((128, 96)).save(file, "PNG")
    content = bytearray(file.getvalue())
    start = content.index(_PNG_DATA) + len(_PNG_DATA) + 64
    content[start : start + 256] = generator.randbytes(256)
    return bytes(content)
