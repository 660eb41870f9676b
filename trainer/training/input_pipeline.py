"""The input pipeline: images or cached features in batches, in an order that depends on a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from trainer.augmentation.pipeline import Augmentation
from trainer.data.preprocessing import scale_pixels
from trainer.errors import DivergedError

Draw = tuple[int, ...]
"""The seeds of random draws: the run's seed, the stage, the epoch."""

Prepare = Callable[[Any, Any, Any], tuple[Any, Any]]
"""A function from rows, targets and a seed, int32 [2], to the network's inputs and targets."""


class Rows(Protocol):
    """Rows that can be taken by index."""

    def take(self, index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the rows of `index`, [B], as [B, ...]."""


@dataclass(frozen=True)
class InputPipeline:
    """The inputs of one split: V rows for each of N images, of `shape` and `dtype`, with their targets.

    Row `variant * N + image` of `rows` belongs to `targets[variant, image]`, float32 [V, N, C]. `class_weights`,
    float32 [C], weigh the classes in the loss; `prepare` turns rows into the network's inputs.
    """

    rows: Rows
    shape: tuple[int, ...]
    dtype: str
    targets: npt.NDArray[np.float32]
    class_weights: npt.NDArray[np.float32]
    prepare: Prepare

    @property
    def images(self) -> int:
        """The number of images."""
        return int(self.targets.shape[1])

    @property
    def variants(self) -> int:
        """The number of rows for each image."""
        return int(self.targets.shape[0])


@dataclass(frozen=True)
class TrainingData:
    """The inputs for training, and those for validation after each epoch."""

    train: InputPipeline
    val: InputPipeline


def shuffled_batches(pipeline: InputPipeline, batch_size: int, draw: Draw) -> Any:
    """Return one epoch as a tf.data.Dataset of (inputs float32, targets [B, C], weights [B]).

    The order, the variant of each image, and the seed that prepares each batch depend on `draw` alone. A row whose
    inputs are not all finite has the weight NaN, and so makes the loss NaN: oneDNN's ReLU turns NaN into zeros, so that
    the network's output for such a row may look normal.
    """
    random = np.random.default_rng(draw)
    order = random.permutation(pipeline.images)
    variant = random.integers(0, pipeline.variants, pipeline.images)
    return _batches(pipeline, order, variant, batch_size, random)


def ordered_batches(pipeline: InputPipeline, batch_size: int, draw: Draw = (0,), variant: int = 0) -> Any:
    """Return one variant of every image, in order; otherwise as `shuffled_batches`."""
    chosen = np.full(pipeline.images, variant)
    return _batches(pipeline, np.arange(pipeline.images), chosen, batch_size, np.random.default_rng(draw))


def prepare_pixels(image_input: ImageInput, augmentation: Augmentation | None = None) -> Prepare:
    """Return a function that augments images, uint8 [B, H, W, 3], and targets, and scales them for the network."""

    def prepare(pixels: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if augmentation is not None:
            pixels, targets = augmentation(pixels, targets, seed)
        return scale_pixels(pixels, image_input), targets

    return prepare


def prepare_features(rows: tf.Tensor, targets: tf.Tensor, _seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return features and their targets as they are."""
    return rows, targets


def soft_targets(labels: npt.NDArray[np.int32], classes: int, smoothing: float = 0.0) -> npt.NDArray[np.float32]:
    """Return one-hot labels, float32 [N, C], with label smoothing (Szegedy et al. 2016)."""
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / classes)


def check_finite_inputs(weights: tf.Tensor) -> None:
    """Check the weights of a batch that is not trained on.

    Raises:
        DivergedError: inputs of a row are NaN or infinite.
    """
    if not np.isfinite(weights.numpy()).all():
        raise DivergedError(
            "The network's input is NaN or infinite for some images; check the augmentation, and how pixels are scaled."
        )


def _finite_rows(inputs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.reshape(tf.math.is_finite(inputs), [tf.shape(inputs)[0], -1]), axis=1)


def _batches(
    pipeline: InputPipeline,
    order: npt.NDArray[np.int64],
    variant: npt.NDArray[np.int64],
    batch_size: int,
    random: np.random.Generator,
) -> Any:
    steps = -(-pipeline.images // batch_size)
    seeds = random.integers(0, 2**31, (steps, 2)).astype(np.int32)

    def take(index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        return pipeline.rows.take(variant[index] * pipeline.images + index), pipeline.targets[variant[index], index]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def read(index: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        rows, targets = tf.numpy_function(take, [index], [pipeline.dtype, tf.float32], stateful=False)
        rows = tf.ensure_shape(rows, [None, *pipeline.shape])
        inputs, targets = pipeline.prepare(rows, tf.ensure_shape(targets, [None, pipeline.targets.shape[2]]), seed)
        weights = tf.linalg.matvec(targets, pipeline.class_weights)
        return inputs, targets, tf.where(_finite_rows(inputs), weights, np.nan)

    indices = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
    return (
        tf.data.Dataset.zip(indices, tf.data.Dataset.from_tensor_slices(seeds))
        .map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )
