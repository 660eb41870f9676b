"""Images and features on their way into the network: every one once an epoch, in an order that a seed decides."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from contract.image_input import ImageInput
from tests.trainer.small_network import Rows
from trainer.augmentation.pipeline import Augmentation
from trainer.augmentation_settings import MixUp
from trainer.training.input_pipeline import (
    InputPipeline,
    ordered_batches,
    prepare_features,
    prepare_pixels,
    shuffled_batches,
    soft_targets,
)

IMAGES, CLASSES = 10, 2


def pipeline(
    variants: int = 1, weights: tuple[float, float] = (1.0, 1.0), prepare: Any = prepare_features
) -> InputPipeline:
    """Rows whose value is `100 * variant + image`; even images are of class 0."""
    values = [[100.0 * variant + image] for variant in range(variants) for image in range(IMAGES)]
    targets = soft_targets(np.arange(IMAGES, dtype=np.int32) % 2, CLASSES)
    return InputPipeline(
        rows=Rows(np.array(values, np.float32)),
        shape=(1,),
        dtype="float32",
        targets=np.broadcast_to(targets, (variants, IMAGES, CLASSES)),
        class_weights=np.array(weights, np.float32),
        prepare=prepare,
    )


def seen(batches: Any) -> list[float]:
    return [float(value) for inputs, _, _ in batches for value in inputs.numpy()[:, 0]]


def test_every_image_comes_once_an_epoch() -> None:
    """An epoch has each image once, in batches of the wanted size and a shorter last one."""
    batches = list(shuffled_batches(pipeline(), 4, (1, 0, 0)))
    assert [len(inputs) for inputs, _, _ in batches] == [4, 4, 2]
    assert sorted(seen(batches)) == list(range(IMAGES))


def test_order_is_decided_by_the_draw_alone() -> None:
    """The same draw gives the same order, and another epoch, stage or seed another."""
    first = seen(shuffled_batches(pipeline(), 4, (1, 0, 0)))
    assert seen(shuffled_batches(pipeline(), 4, (1, 0, 0))) == first
    others = [seen(shuffled_batches(pipeline(), 4, draw)) for draw in ((1, 0, 1), (1, 1, 0), (2, 0, 0))]
    assert all(other != first for other in others)


def test_each_image_comes_with_its_own_target_and_weight() -> None:
    """Targets and weights belong to the images beside them; a class's weight is that of its images."""
    for inputs, targets, weights in shuffled_batches(pipeline(weights=(0.5, 2.0)), 4, (1, 0, 0)):
        classes = inputs.numpy()[:, 0].astype(int) % 2
        np.testing.assert_array_equal(targets, np.eye(2, dtype=np.float32)[classes])
        np.testing.assert_array_equal(weights, np.array([0.5, 2.0], np.float32)[classes])


def test_variants_take_turns() -> None:
    """Each image comes in one of its variants, drawn anew in each epoch."""
    epochs = [seen(shuffled_batches(pipeline(variants=3), 4, (1, 0, epoch))) for epoch in range(30)]
    for epoch in epochs:
        assert sorted(value % 100 for value in epoch) == list(range(IMAGES))
    chosen = {(value % 100, value // 100) for epoch in epochs for value in epoch}
    assert len(chosen) == 3 * IMAGES


def test_images_in_order_are_of_one_variant() -> None:
    """For computing features and for judging, images come one after the other."""
    assert seen(ordered_batches(pipeline(variants=2), 4, variant=1)) == [100 + image for image in range(IMAGES)]


def test_batches_have_seeds_of_their_own() -> None:
    """What prepares a batch gets another seed for each, the same ones for the same draw."""

    def seeds(rows: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(tf.repeat(seed[None, :1], tf.shape(rows)[0], axis=0), tf.float32), targets

    first = seen(shuffled_batches(pipeline(prepare=seeds), 4, (1, 0, 0)))
    assert len(set(first)) == 3
    assert seen(shuffled_batches(pipeline(prepare=seeds), 4, (1, 0, 0))) == first


def test_pixels_are_scaled_as_the_network_wants_them() -> None:
    """Images come out as their values times scale plus offset, float32."""
    prepare = prepare_pixels(ImageInput(height=1, width=1, scale=1 / 127.5, offset=-1.0))
    pixels = tf.constant([[[[0, 127, 255]]]], tf.uint8)
    inputs, _ = prepare(pixels, tf.constant([[1.0, 0.0]]), tf.constant([0, 0]))
    np.testing.assert_allclose(inputs.numpy().ravel(), [-1, 127 / 127.5 - 1, 1], atol=1e-6)


def test_mixed_images_have_mixed_targets() -> None:
    """Where images are blended their targets are too, and weigh in between."""
    prepare = prepare_pixels(ImageInput(height=1, width=1), Augmentation((MixUp(alpha=10.0),)))
    pixels = tf.constant(np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1) * np.ones(3, np.uint8))
    _, targets = prepare(pixels, tf.one_hot(np.arange(8) % 2, 2), tf.constant([1, 2]))
    np.testing.assert_allclose(targets.numpy().sum(axis=1), 1, atol=1e-6)
    assert (targets.numpy().max(axis=1) < 1).any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_labels_are_spread_over_all_classes(smoothing: float) -> None:
    """Smoothing takes its share from the true class and gives each class as much of it."""
    targets = soft_targets(np.array([2, 0], np.int32), 4, smoothing)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets[0], smoothing / 4 + (1 - smoothing) * np.eye(4)[2], atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
