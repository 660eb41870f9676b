"""The reference that travels with a model."""

from itertools import pairwise

import numpy as np
import pytest

from trainer.data.reference_histograms import brightness_of, make_reference

PROBABILITIES = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]], np.float32)
SIZES = np.array([[640, 480], [16, 16], [7000, 7000]], np.int32)
BRIGHTNESS = np.array([0.0, 0.52, 1.0], np.float32)
REFERENCE = make_reference(PROBABILITIES, ("a", "b"), SIZES, BRIGHTNESS)


def test_each_image_is_counted_once_in_each_histogram() -> None:
    """All histograms count all images, and the predicted classes add up to them."""
    assert REFERENCE.images == 3
    assert REFERENCE.predicted == {"a": 2, "b": 1}
    for each in (REFERENCE.confidence, REFERENCE.entropy, REFERENCE.size, REFERENCE.brightness):
        assert sum(each.counts) == 3


@pytest.mark.parametrize("value", [1.0, 0.5, 0.75])
def test_a_confidence_is_found_in_its_bucket(value: float) -> None:
    """The probability of the most probable class is counted where a reader would look it up."""
    assert REFERENCE.confidence.counts[REFERENCE.confidence.index_of(value)] == 1


def test_entropy_is_normalised() -> None:
    """A sure answer is in the first bucket of entropy, and one without any idea in the last."""
    assert (REFERENCE.entropy.counts[0], REFERENCE.entropy.counts[-1]) == (1, 1)


def test_size_is_counted_in_pixels_on_a_log_scale() -> None:
    """Sizes are width times height in buckets of powers of two; smaller and larger ones are in the end buckets."""
    edges = REFERENCE.size.edges
    assert all(high == 2 * low for low, high in pairwise(edges))
    assert REFERENCE.size.counts[REFERENCE.size.index_of(640 * 480)] == 1
    assert REFERENCE.size.counts[0] == 1  # 16 x 16 is below 1024
    assert REFERENCE.size.counts[-1] == 1


def test_the_largest_sizes_do_not_overflow() -> None:
    """An image whose pixels do not fit 32 bits is in the last bucket."""
    huge = np.array([[65_535, 65_535]], np.int32)
    reference = make_reference(PROBABILITIES[:1], ("a", "b"), huge, BRIGHTNESS[:1])
    assert reference.size.counts[-1] == 1


def test_brightness_is_the_mean_of_all_values() -> None:
    """Black is 0, white is 1, and pure red a third."""
    pixels = np.zeros((3, 4, 5, 3), np.uint8)
    pixels[1] = 255
    pixels[2, :, :, 0] = 255
    assert brightness_of(pixels) == pytest.approx([0.0, 1.0, 1 / 3])
    assert brightness_of(pixels).dtype == np.float32
