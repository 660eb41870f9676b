"""EXIF orientation: an image that a camera held sideways is seen upright."""

import io

import numpy as np
import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.images import encoded, exif, gradient, pixels_of, upright
from tests.trainer.tracing import decoded

WIDTH, HEIGHT = 40, 30
LYING = ImageInput(height=HEIGHT, width=WIDTH)
STANDING = ImageInput(height=WIDTH, width=HEIGHT)


@pytest.mark.parametrize("byte_order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_undone(orientation: int, byte_order: str) -> None:
    """A JPEG of each of the eight orientations, in both byte orders, is decoded as the upright image."""
    content = encoded(gradient(), "JPEG", exif=exif(orientation, byte_order))
    assert Image.open(io.BytesIO(content)).getexif()[0x0112] == orientation
    batch = decoded([content], LYING if orientation < 5 else STANDING)
    np.testing.assert_array_equal(batch.pixels.numpy()[0], np.asarray(upright(content, orientation)))


def test_orientations_do_not_mix_within_a_batch() -> None:
    """Each row of a batch is turned by its own orientation."""
    contents = [encoded(gradient(), "JPEG", exif=exif(orientation, "<")) for orientation in (3, 1, 2, 4)]
    pixels = decoded(contents, LYING).pixels.numpy()
    for row, orientation in enumerate((3, 1, 2, 4)):
        np.testing.assert_array_equal(pixels[row], np.asarray(upright(contents[row], orientation)))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_value_that_is_no_orientation_is_ignored(orientation: int) -> None:
    """An image with a value outside 1 to 8 is taken as upright."""
    content = encoded(gradient(), "JPEG", exif=exif(orientation, "<"))
    np.testing.assert_array_equal(decoded([content], LYING).pixels.numpy()[0], pixels_of(content))


@pytest.mark.parametrize("cut", [0, 4, 9, 13, 17])
def test_broken_exif_is_ignored(cut: int) -> None:
    """An image whose EXIF segment is cut short is taken as upright, and is decoded."""
    content = encoded(gradient(), "JPEG", exif=exif(6, "<")[: 6 + cut])
    batch = decoded([content], LYING)
    assert batch.valid.numpy().tolist() == [True]
    np.testing.assert_array_equal(batch.pixels.numpy()[0], pixels_of(encoded(gradient(), "JPEG")))


def test_orientation_can_be_left_alone() -> None:
    """With `exif_orientation` off an image is decoded as it is stored."""
    content = encoded(gradient(), "JPEG", exif=exif(3, "<"))
    as_stored = LYING.model_copy(update={"exif_orientation": False})
    np.testing.assert_array_equal(decoded([content], as_stored).pixels.numpy()[0], pixels_of(content))
