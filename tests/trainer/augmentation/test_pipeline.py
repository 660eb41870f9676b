"""Augmentation: chance repeats itself, and what steps do that keep or exchange pixels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests.trainer.augmenting import CLASSES, EACH, Pixels, augment, gradients, one_hot, speckles
from trainer.augmentation.pipeline import Augmentation
from trainer.augmentation_settings import Brightness, Contrast, CutMix, Flip, MixUp, QuarterTurns, Step
from trainer.errors import ConfigurationError

KEEP_LABELS = EACH[:-2]
each_step = pytest.mark.parametrize("step", EACH, ids=lambda step: step.kind)


def eagerly(augmentation: Augmentation, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> Any:
    return augmentation(pixels, labels, seed)


def in_a_graph(augmentation: Augmentation, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> Any:
    return tf.function(augmentation)(pixels, labels, seed)


def in_a_pipeline(augmentation: Augmentation, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> Any:
    """Vary four batches side by side, of which the third has the seed."""
    seeds = tf.data.Dataset.range(4).map(lambda number: seed + tf.cast(number, tf.int32) - 2)
    batches = tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(len(pixels)).repeat(4)
    together = tf.data.Dataset.zip((batches, seeds))
    varied = together.map(lambda batch, its_seed: augmentation(batch[0], batch[1], its_seed), num_parallel_calls=4)
    return list(varied)[2]


@pytest.mark.parametrize(
    "steps", [*((step,) for step in EACH), EACH], ids=lambda steps: "+".join(s.kind for s in steps)
)
def test_same_seed_gives_the_same_bits_everywhere(steps: tuple[Step, ...]) -> None:
    """One seed gives the same bits eagerly, in a graph and in a parallel pipeline, and whatever ran before."""
    batch = tf.constant(speckles(7)), tf.constant(one_hot(7)), tf.constant([3, -5])
    expected_pixels, expected_labels = Augmentation(steps)(*batch)
    used = Augmentation(steps)
    used(*batch[:2], tf.constant([8, 8]))
    for run in (eagerly, in_a_graph, in_a_pipeline):
        pixels, labels = run(used, *batch)
        np.testing.assert_array_equal(pixels, expected_pixels, strict=True)
        np.testing.assert_array_equal(labels, expected_labels, strict=True)


@each_step
def test_another_seed_gives_another_result(step: Step) -> None:
    """Either half of the seed changes the result."""
    pixels = speckles(8)
    first, second, third = (augment([step], pixels, seed)[0] for seed in ((1, 2), (1, 3), (2, 2)))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)


@each_step
def test_images_of_a_batch_have_draws_of_their_own(step: Step) -> None:
    """Of eight images with the same pixels not all come out alike; mixing is shown on different ones."""
    if isinstance(step, MixUp | CutMix):
        _, labels = augment([step], speckles(8))
        assert len(np.unique(labels.max(axis=1))) > 4
        return
    varied, _ = augment([step], gradients(8))
    assert len(np.unique(varied, axis=0)) > 2


@each_step
@pytest.mark.parametrize("count", [1, 3])
def test_values_types_and_shapes(step: Step, count: int) -> None:
    """Batches of any size come out as float32 of 0 to 255 and labels that add up to one."""
    pixels = speckles(count)
    for given in (pixels, pixels.astype(np.float32)):
        varied, labels = augment([step], given)
        assert varied.shape == pixels.shape
        assert labels.shape == (count, CLASSES)
        assert varied.dtype == labels.dtype == np.float32
        assert varied.min() >= 0
        assert varied.max() <= 255.001  # bilinear weights add up to one, rounded
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("step", KEEP_LABELS, ids=lambda step: step.kind)
def test_draws_depend_on_the_place_in_the_batch_alone(step: Step) -> None:
    """An image is varied alike in a full batch and in a shorter one, and its label stays."""
    whole, labels = augment([step], speckles(11))
    part, _ = augment([step], speckles(11)[:3])
    np.testing.assert_array_equal(whole[:3], part)
    np.testing.assert_array_equal(labels, one_hot(11))


def test_no_steps_change_nothing() -> None:
    """Without steps the same pixels come out, as float32."""
    varied, labels = augment([], speckles(3))
    np.testing.assert_array_equal(varied, speckles(3).astype(np.float32), strict=True)
    np.testing.assert_array_equal(labels, one_hot(3))
    assert not Augmentation([]).mixes_labels


def test_mixing_is_announced() -> None:
    """Labels are mixed where a step mixes them, wherever it stands."""
    assert [Augmentation([step]).mixes_labels for step in EACH] == [False] * 7 + [True] * 2
    assert Augmentation([MixUp(), Flip()]).mixes_labels


def which(varied: Pixels, candidates: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Return for each image which of the candidates it is exactly; each must be one."""
    equal = np.array([[np.array_equal(image, candidate) for candidate in candidates] for image in varied])
    assert (equal.sum(axis=1) == 1).all()
    return np.flatnonzero(equal) % len(candidates)


@pytest.mark.parametrize(
    ("step", "candidates"),
    [
        (Flip(), [lambda p: p, lambda p: p[:, ::-1]]),
        (Flip(horizontal=False, vertical=True), [lambda p: p, lambda p: p[::-1]]),
        (Flip(vertical=True), [lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: p[::-1, ::-1]]),
        (QuarterTurns(), [lambda p, k=k: np.rot90(p, k) for k in range(4)]),
    ],
    ids=["left and right", "top and bottom", "both", "quarter turns"],
)
def test_exact_steps_move_pixels_and_each_outcome_is_as_likely(
    step: Step, candidates: list[Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]
) -> None:
    """Each of 400 images is exactly one of the outcomes, and each outcome has its share of them."""
    varied, _ = augment([step], gradients(400))
    counts = np.bincount(which(varied, [turn(gradients(1)[0]) for turn in candidates]), minlength=len(candidates))
    assert (abs(counts - 400 / len(candidates)) < 40).all()


def test_quarter_turns_refuse_images_that_are_not_square() -> None:
    """An image that is not square cannot be turned by a quarter, and the sentence says what to do."""
    with pytest.raises(ConfigurationError, match=r"^Quarter turns need square images, and these are 40 wide and 30 hi"):
        augment([QuarterTurns()], np.zeros((1, 30, 40, 3), np.uint8))


def test_brightness_adds_one_number_to_a_image() -> None:
    """All values of an image move by the same amount, drawn evenly both ways up to the given share."""
    grey = np.full((400, 4, 4, 3), 128, np.uint8)
    moved = augment([Brightness(amount=0.3)], grey)[0] - 128
    assert np.ptp(moved, axis=(1, 2, 3)).max() == 0
    amounts = moved[:, 0, 0, 0] / 255
    assert -0.3 <= amounts.min() < -0.28
    assert 0.28 < amounts.max() <= 0.3
    assert abs(amounts.mean()) < 0.03


def test_brightness_is_cut_off_at_black_and_white() -> None:
    """What would leave 0 to 255 stays at the border."""
    both = np.zeros((50, 2, 2, 3), np.uint8)
    both[:, 0] = 255
    varied, _ = augment([Brightness(amount=1)], both)
    assert (varied.min(), varied.max()) == (0, 255)


def test_contrast_spreads_each_colour_around_its_mean() -> None:
    """Means stay, and differences from them change by a factor drawn evenly on both sides of one."""
    image = np.array([[[100, 10, 120], [140, 50, 180]]], np.uint8)
    varied, _ = augment([Contrast(amount=0.2)], np.repeat(image[None], 400, axis=0))
    np.testing.assert_allclose(varied.mean(axis=(1, 2)), np.tile([120, 30, 150], (400, 1)), rtol=1e-5)
    factors = (varied[:, 0, 1] - varied[:, 0, 0]) / [40, 40, 60]
    assert np.ptp(factors, axis=1).max() < 1e-5
    assert 0.8 <= factors.min() < 0.82
    assert 1.18 < factors.max() <= 1.2
    assert abs(factors.mean() - 1) < 0.03
