"""BMPs of 24 and 32 bits, whose pixels lie in the file as they are."""

import numpy as np

from modelserver.engines.pixels.errors import BrokenImageError, UnprovedImageError
from modelserver.engines.pixels.headers import Header
from modelserver.model.decoded_images import Pixels

_LARGEST = 2**31


def decode(content: bytes, header: Header) -> Pixels:
    """Return a BMP's pixels, uint8 [H, W, 3] RGB without alpha, as a view of the content.

    Raises:
        BrokenImageError: the file is longer or shorter than its pixels need, which TensorFlow refuses, too.
        UnprovedImageError: it is so large that TensorFlow's numbers overflow.
    """
    start = int.from_bytes(content[10:14], "little", signed=True)
    channels = int.from_bytes(content[28:30], "little") // 8
    rows = abs(header.height)
    row_bytes = (channels * header.width + 3) // 4 * 4
    if row_bytes * rows + len(content) >= _LARGEST or header.pixels >= _LARGEST // 8:
        raise UnprovedImageError("a very large BMP")
    if start < 0 or len(content) != start + row_bytes * rows:
        raise BrokenImageError("a BMP that is longer or shorter than its pixels need")
    lines = np.frombuffer(content, np.uint8, row_bytes * rows, start).reshape(rows, row_bytes)
    pixels = lines[:, : channels * header.width].reshape(rows, header.width, channels)
    return (pixels if header.height < 0 else pixels[::-1])[..., 2::-1]
