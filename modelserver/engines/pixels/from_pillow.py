"""The pixels of an image that Pillow has decoded, without whole copies of it in between."""

import numpy as np
from PIL import Image

from modelserver.model.decoded_images import Pixels

_PIXELS_AT_A_TIME = 2**20


def rgb_pixels(image: Image.Image) -> Pixels:
    """Return the pixels, uint8 [H, W, 3] RGB, of an image of any mode, whose alpha is dropped.

    Pillow holds four bytes a pixel; converted and turned into an array at once, 49 megapixels would take 540 MB.
    """
    width, height = image.size
    rows = max(_PIXELS_AT_A_TIME // width, 1)
    if height <= rows:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
    return pixels
