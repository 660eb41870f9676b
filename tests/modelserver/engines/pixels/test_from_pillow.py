"""Pixels of Pillow's images: strip by strip they are what they are at once."""

import numpy as np
import pytest
from PIL import Image

from modelserver.engines.pixels.from_pillow import rgb_pixels


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize("size", [(1100, 1001), (1, 3), (3, 2_000_000), (2_000_000, 1)])
def test_strips_make_the_whole_image(mode: str, size: tuple[int, int]) -> None:
    """Also for one whose last strip has fewer rows, and for rows that are longer than a strip."""
    width, height = size
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(noise).convert(mode)
    np.testing.assert_array_equal(rgb_pixels(image), np.asarray(image.convert("RGB")))
