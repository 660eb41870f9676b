"""Images made to fit as a phone does it."""

from pathlib import Path

import numpy as np
from PIL import Image

from contract.image_input import ImageInput
from exporter.tflite.resize import read_upright, stretch, stretch_file
from tests.drawn.images import encoded, gradient
from tests.drawn.oriented import jpeg, segment


def test_places_are_counted_from_the_upper_left_corner() -> None:
    """Shrinking to a half takes every second pixel, starting with the first, and mixes in none of the others."""
    image = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    np.testing.assert_array_equal(stretch(image, 4, 3), image[::2, ::2])


def test_between_pixels_the_nearest_are_mixed() -> None:
    """Column 1 of 2 from 3 is read at 1.5: half of the second pixel and half of the third."""
    image = np.array([[[0, 0, 0], [10, 20, 30], [20, 60, 90]]], np.uint8)
    np.testing.assert_array_equal(stretch(image, 1, 2), [[[0, 0, 0], [15, 40, 60]]])


def test_enlarging_repeats_the_edge() -> None:
    """Beyond the last pixel there is nothing to mix with."""
    image = np.array([[[0, 0, 0], [100, 100, 100]]], np.uint8)
    np.testing.assert_array_equal(stretch(image, 1, 4)[0, :, 0], [0, 50, 100, 100])


def test_images_are_turned_upright(tmp_path: Path) -> None:
    """A photo that lies on its side is turned as its EXIF data say, before it is stretched."""
    upright = gradient(40, 30)
    tags = Image.Exif()
    tags[0x0112] = 6  # turn right by a quarter to see it upright
    (tmp_path / "lying.png").write_bytes(encoded(upright.rotate(90, expand=True), "PNG", exif=tags))
    np.testing.assert_array_equal(read_upright(tmp_path / "lying.png"), np.asarray(upright))
    (tmp_path / "upright.png").write_bytes(encoded(upright, "PNG"))
    image_input = ImageInput(height=10, width=16)
    np.testing.assert_array_equal(
        stretch_file(tmp_path / "lying.png", image_input), stretch_file(tmp_path / "upright.png", image_input)
    )


def test_images_that_training_decodes_are_read(tmp_path: Path) -> None:
    """A JPEG without end marker, and one with EXIF data that are none, are images of a test split like others."""
    file = tmp_path / "image.jpg"
    whole = encoded(gradient(), "JPEG")
    for content in (whole[:-2], whole[:-2] + b"a trailer", jpeg(segment(0xE1, b"Exif\0\0none"))):
        file.write_bytes(content)
        assert read_upright(file).shape == (30, 40, 3)
