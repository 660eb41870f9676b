"""An image has one answer: whatever file holds its pixels, and whatever else is in the batch."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from exporter.saved_model.loading import LoadedVersion
from tests.drawn.images import COLOURS, encoded, exif, gradient, speckled, upright
from tests.exporter.conftest import Publication
from tests.exporter.rows import TOLERANCE, assert_same_predictions, predict_each, predict_rows

DISTINCT = 100 * TOLERANCE
"""By how much the answers to two images differ at least, or their comparison would prove little."""


@pytest.fixture(scope="module")
def version(first: Publication) -> LoadedVersion:
    """The first version, loaded from where it was published."""
    return LoadedVersion(first.folder)


@pytest.mark.parametrize("count", [2, 3, 8, 33])
def test_a_batch_has_the_answers_of_its_images_alone(version: LoadedVersion, count: int) -> None:
    """A batch of N images of different sizes is answered as N batches of one."""
    colours = list(COLOURS.values())
    contents = [encoded(speckled(colours[row % 3], row, 20 + 5 * row, 90), "JPEG") for row in range(count)]
    together = predict_rows(version, contents)
    assert_same_predictions(together, predict_each(version, contents))
    assert np.ptp(together.probabilities, axis=0).max() > DISTINCT


@pytest.mark.parametrize(("width", "height"), [(32, 32), (40, 30), (301, 447)])
def test_equal_pixels_have_equal_answers_from_any_file(version: LoadedVersion, width: int, height: int) -> None:
    """PNG, BMP of 24 and of 32 bits and lossless WebP of the same pixels have the same answer, to the last bit."""
    image = speckled((90, 160, 60), 3, width, height)
    png = predict_rows(version, [encoded(image, "PNG")])
    assert png.valid == [True]
    for other in (
        encoded(image, "BMP"),
        encoded(image.convert("RGBA"), "BMP"),
        encoded(image, "WEBP", lossless=True),
    ):
        np.testing.assert_array_equal(predict_rows(version, [other]).probabilities, png.probabilities)


def held_in_every_way() -> list[bytes]:
    """Return an image without symmetries as eight JPEG files, which differ in nothing but the orientation, 1 to 8."""
    image = Image.blend(gradient(60, 40), speckled(COLOURS["red"], 5, 60, 40), 0.5)
    return [encoded(image, "JPEG", exif=exif(orientation, "<>"[orientation % 2])) for orientation in range(1, 9)]


def test_a_turned_image_has_the_answer_of_the_upright_one(version: LoadedVersion) -> None:
    """A JPEG with EXIF orientation k is answered as the PNG of what Pillow decodes and turns upright, for each k.

    Both decoders give the same pixels, and to turn pixels loses nothing, so the answers are equal to the last bit.
    """
    turned = held_in_every_way()
    as_png = [encoded(upright(content, orientation), "PNG") for orientation, content in enumerate(turned, start=1)]
    seen, expected = predict_each(version, turned), predict_each(version, as_png)
    assert all(seen.valid)
    np.testing.assert_array_equal(seen.probabilities, expected.probabilities)
    for one, other in combinations(expected.probabilities, 2):
        assert np.abs(one - other).max() > DISTINCT


def test_orientations_do_not_mix_within_a_batch(version: LoadedVersion) -> None:
    """Images of all orientations in one batch have the answers that they have alone."""
    turned = held_in_every_way()
    assert_same_predictions(predict_rows(version, turned), predict_each(version, turned))
