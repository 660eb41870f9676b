"""Turned, zoomed and cropped images: where their content goes."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests.trainer.augmenting import SIZE, Pixels, augment, gradients
from trainer.augmentation.geometric_transforms import transform
from trainer.augmentation_settings import Crop, Rotation, Step, Zoom


def dots(count: int, row: int, column: int, size: int = 41) -> npt.NDArray[np.uint8]:
    """Draw a white dot of 3 by 3 on black."""
    pixels = np.zeros((count, size, size, 3), np.uint8)
    pixels[:, row - 1 : row + 2, column - 1 : column + 2] = 255
    return pixels


def centres(varied: Pixels) -> npt.NDArray[np.float64]:
    """Return the brightness-weighted middle of each image, float64 [N, 2]: down and right of the image's own."""
    weights = varied[..., 0].astype(np.float64)
    size = varied.shape[1]
    places = np.moveaxis(np.mgrid[0:size, 0:size], 0, -1) - (size - 1) / 2
    middles: npt.NDArray[np.float64] = np.einsum("nhw,hwc->nc", weights, places) / weights.sum(axis=(1, 2))[:, None]
    return middles


def test_rotation_turns_both_ways_around_the_middle() -> None:
    """A dot to the right of the middle stays as far from it, and its angles fill the range on both sides."""
    down, right = centres(augment([Rotation(degrees=20)], dots(400, row=20, column=32))[0]).T
    np.testing.assert_allclose(np.hypot(down, right), 12, atol=0.1)
    angles = np.degrees(np.arctan2(down, right))
    assert -20.5 < angles.min() < -19
    assert 19 < angles.max() < 20.5
    assert abs(angles.mean()) < 2


@pytest.mark.parametrize("step", [Rotation(degrees=180), Zoom(amount=0.9)], ids=lambda step: step.kind)
def test_edges_are_mirrored(step: Step) -> None:
    """An image of one colour stays so: no black comes in at the edges."""
    varied, _ = augment([step], np.full((50, SIZE, SIZE, 3), 200, np.uint8))
    np.testing.assert_allclose(varied, 200, rtol=1e-5)


def test_zoom_enlarges_and_shrinks_around_the_middle() -> None:
    """A dot moves straight away from the middle or towards it, by a factor of both sides of one."""
    down, right = centres(augment([Zoom(amount=0.3)], dots(400, row=20, column=28))[0]).T
    np.testing.assert_allclose(down, 0, atol=0.02)
    factors = right / 8
    assert 0.68 < factors.min() < 0.72
    assert 1.28 < factors.max() < 1.32
    assert abs(factors.mean() - 1) < 0.03


def parts(varied: Pixels, size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Read off a cropped gradient which shares of width and height are left, each float64 [N]."""
    values = varied.astype(np.float64) / 255
    wide, high = values[:, 0, -1, 0] - values[:, 0, 0, 0], values[:, -1, 0, 1] - values[:, 0, 0, 1]
    return wide, high


def test_crop_keeps_a_part_of_the_area_and_nearly_its_shape() -> None:
    """What is left has an area between the smallest and one, and sides of at most 4 to 3."""
    varied, _ = augment([Crop(smallest=0.4)], gradients(400, 64))
    wide, high = parts(varied, 64)
    assert 0.4 - 0.02 < (wide * high).min() < 0.45
    assert (wide * high).max() > 0.95
    assert max(wide.max(), high.max()) <= 1
    ratio = wide / high
    assert 3 / 4 - 0.01 < ratio.min() < 0.8
    assert 1.25 < ratio.max() < 4 / 3 + 0.01
    assert abs(np.log(ratio).mean()) < 0.03


def test_crop_comes_from_everywhere_within_the_image() -> None:
    """Where a part begins is drawn evenly from edge to edge, for both directions, and nothing else is in it."""
    varied, _ = augment([Crop(smallest=0.3)], gradients(400, 64))
    for share, begin in zip(parts(varied, 64), (varied[:, 0, 0, 0] / 255, varied[:, 0, 0, 1] / 255), strict=True):
        place = (begin / (1 - share))[share < 0.8]
        assert 0 <= place.min() < 0.05
        assert 0.95 < place.max() <= 1.001
        assert abs(place.mean() - 0.5) < 0.05


def test_steps_that_follow_each_other_are_applied_in_their_order() -> None:
    """A turn by the first step and a zoom by the second leave a dot where both put it, as one crop of a crop does."""
    dot = dots(200, row=20, column=24)  # near enough to the middle for its mirror images to stay outside
    down, right = centres(augment([Rotation(degrees=90), Zoom(amount=0.2)], dot)[0]).T
    factors = np.hypot(down, right) / 4
    assert 0.78 < factors.min() < 0.83
    assert 1.17 < factors.max() < 1.22
    assert np.ptp(np.arctan2(down, right)) > 2.5
    wide, high = parts(augment([Crop(smallest=0.5), Crop(smallest=0.5)], gradients(400, 64))[0], 64)
    assert 0.25 - 0.02 < (wide * high).min() < 0.4


@pytest.mark.parametrize("turn_first", [True, False])
def test_one_interpolation_is_as_good_as_one_for_each_step(turn_first: bool) -> None:
    """A turn and a cut in one go show what they show one after the other, and in this order alone."""
    turn = Rotation(degrees=60), tf.constant([1, 2])
    cut = Crop(smallest=0.2), tf.constant([3, 4])
    first, second = (turn, cut) if turn_first else (cut, turn)
    pixels = tf.constant(gradients(50, 64).astype(np.float32))
    one_by_one = transform(transform(pixels, [first]), [second])
    assert middle_difference(transform(pixels, [first, second]), one_by_one) < 2
    assert middle_difference(transform(pixels, [second, first]), one_by_one) > 5


def middle_difference(one: tf.Tensor, other: tf.Tensor) -> float:
    """Return the mean difference in grey levels, away from mirrored corners."""
    return float(abs(one - other)[:, 24:40, 24:40].numpy().mean())
