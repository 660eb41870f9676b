"""How pictures, or what a frozen front made of them, get into the network: in an order that a seed decides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from trainer.augmentation import Augmentation
from trainer.errors import DivergedError
from trainer.preprocessing import scale_pixels

Draw = tuple[int, ...]
"""What random draws depend on: the run's seed, the stage, the epoch."""

Prepare = Callable[[Any, Any, Any], tuple[Any, Any]]
"""From rows, targets and a seed, int32 [2], to the network's inputs and targets."""


class Rows(Protocol):
    """Rows that can be taken by their numbers."""

    def take(self, index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the rows of `index`, [B], as [B, ...]."""


@dataclass(frozen=True)
class Feed:
    """What one split feeds: V rows for each of N pictures, of `shape` and `dtype`, with their targets.

    Row `variant * N + picture` of `rows` belongs to `targets[variant, picture]`, float32 [V, N, C]. `class_weights`,
    float32 [C], say how much each class counts; `prepare` makes the network's inputs of rows.
    """

    rows: Rows
    shape: tuple[int, ...]
    dtype: str
    targets: npt.NDArray[np.float32]
    class_weights: npt.NDArray[np.float32]
    prepare: Prepare

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return int(self.targets.shape[1])

    @property
    def variants(self) -> int:
        """How many rows there are for each picture."""
        return int(self.targets.shape[0])


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what it is judged by after each epoch."""

    train: Feed
    val: Feed


def drawn_batches(feed: Feed, batch_size: int, draw: Draw) -> Any:
    """Return one epoch as a tf.data.Dataset of (inputs float32, targets [B, C], weights [B]).

    Order and variant of each picture, and the seed that each batch is prepared with, depend on `draw` alone. The weight
    of a row whose inputs are not all finite is NaN, and so is the loss then: oneDNN's ReLU makes zeros of NaN, so that
    the network may answer such a row as if nothing were wrong.
    """
    random = np.random.default_rng(draw)
    order = random.permutation(feed.pictures)
    variant = random.integers(0, feed.variants, feed.pictures)
    return _batches(feed, order, variant, batch_size, random)


def ordered_batches(feed: Feed, batch_size: int, draw: Draw = (0,), variant: int = 0) -> Any:
    """Return one variant of every picture, one after the other; otherwise as `drawn_batches`."""
    chosen = np.full(feed.pictures, variant)
    return _batches(feed, np.arange(feed.pictures), chosen, batch_size, np.random.default_rng(draw))


def prepare_pixels(image_input: ImageInput, augmentation: Augmentation | None = None) -> Prepare:
    """Return what varies pictures, uint8 [B, H, W, 3], and their targets, and scales them for the network."""

    def prepare(pixels: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if augmentation is not None:
            pixels, targets = augmentation(pixels, targets, seed)
        return scale_pixels(pixels, image_input), targets

    return prepare


def as_they_are(rows: tf.Tensor, targets: tf.Tensor, _seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Prepare nothing: for features."""
    return rows, targets


def soft_targets(labels: npt.NDArray[np.int32], classes: int, smoothing: float = 0.0) -> npt.NDArray[np.float32]:
    """Return one-hot labels, float32 [N, C], a share of each spread over all classes (Szegedy et al. 2016)."""
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / classes)


def see_finite_inputs(weights: tf.Tensor) -> None:
    """Look at the weights of a batch that is not learned from.

    Raises:
        DivergedError: inputs of a row are NaN or infinite.
    """
    if not np.isfinite(weights.numpy()).all():
        raise DivergedError(
            "What goes into the network is NaN or infinite for some images; look at the augmentation, and at how "
            "pixels are scaled."
        )


def _finite_rows(inputs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.reshape(tf.math.is_finite(inputs), [tf.shape(inputs)[0], -1]), axis=1)


def _batches(
    feed: Feed,
    order: npt.NDArray[np.int64],
    variant: npt.NDArray[np.int64],
    batch_size: int,
    random: np.random.Generator,
) -> Any:
    steps = -(-feed.pictures // batch_size)
    seeds = random.integers(0, 2**31, (steps, 2)).astype(np.int32)

    def take(index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        return feed.rows.take(variant[index] * feed.pictures + index), feed.targets[variant[index], index]

    def read(index: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        rows, targets = tf.numpy_function(take, [index], [feed.dtype, tf.float32], stateful=False)
        rows = tf.ensure_shape(rows, [None, *feed.shape])
        inputs, targets = feed.prepare(rows, tf.ensure_shape(targets, [None, feed.targets.shape[2]]), seed)
        weights = tf.linalg.matvec(targets, feed.class_weights)
        return inputs, targets, tf.where(_finite_rows(inputs), weights, np.nan)

    indices = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
    return (
        tf.data.Dataset.zip(indices, tf.data.Dataset.from_tensor_slices(seeds))
        .map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )
