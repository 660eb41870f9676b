"""The cache of features: what the frozen layers return for each image, computed once."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import TrainingConfig
from trainer.data.pixel_store import PixelStore
from trainer.errors import ConfigurationError, DivergedError
from trainer.models.network import POOLED, Network
from trainer.training.context import TrainingContext
from trainer.training.input_pipeline import (
    InputPipeline,
    TrainingData,
    check_finite_inputs,
    ordered_batches,
    prepare_features,
)
from trainer.training.stages import TrainingStage

_FLOAT_BYTES = 4
_SHARE_OF_FREE_DISK = 0.5


def cache_features(context: TrainingContext, stages: Sequence[TrainingStage]) -> dict[int, TrainingData]:
    """Compute what the frozen layers of each stage return, by split point; nothing where that cannot be cached."""
    if not is_cacheable(context.config):
        return {}
    unfrozen = [stage.unfrozen for stage in stages]
    split_points = split_points_worth_caching(context.network, unfrozen, _count_rows(context.data))
    return compute_features(context, split_points)


def is_cacheable(config: TrainingConfig) -> bool:
    """Return whether each image has a fixed number of variants, so that its features can be computed once.

    Raises:
        ConfigurationError: the settings demand caching, but the augmentation is random in each epoch.
    """
    fixed = not config.augmentation.steps or config.augmentation.views > 0
    if config.phase_one.cache_features == "always" and not fixed:
        raise ConfigurationError(
            'phase_one.cache_features is "always", but the augmentation changes in each epoch; '
            "set augmentation.views to the number of fixed variants of each image."
        )
    return fixed and config.phase_one.cache_features != "never"


def split_points_worth_caching(network: Network, unfrozen: Sequence[int], rows: int) -> list[int]:
    """Return the split points whose features are cached: the pooled ones, and a stage's where half the disk has room.

    `unfrozen` are the numbers of layers that the stages train, `rows` how many images are to be cached.
    """
    room = shutil.disk_usage(tempfile.gettempdir()).free * _SHARE_OF_FREE_DISK
    chosen = [POOLED]
    for split_point in sorted({point for count in unfrozen if (point := network.split_point_for(count))}):
        needed = rows * int(np.prod(network.shape_at(split_point))) * _FLOAT_BYTES
        if needed <= room:
            chosen.append(split_point)
            room -= needed
    return chosen


def compute_features(context: TrainingContext, split_points: Sequence[int]) -> dict[int, TrainingData]:
    """Run every variant of every training and validation image through the front once; features by split point.

    Raises:
        DivergedError: an input or a feature is NaN or infinite.
    """
    compute = compiled_front(context.network, split_points)
    pipelines = (context.data.train, context.data.val)
    context.progress.on_work("computing the features of the frozen layers", _count_rows(context.data))
    caches = [_Cache(pipeline, split_points, context) for pipeline in pipelines]
    for cache in caches:
        cache.fill(compute)
    train, val = (cache.pipelines() for cache in caches)
    return {split_point: TrainingData(train[split_point], val[split_point]) for split_point in split_points}


def compiled_front(network: Network, split_points: Sequence[int]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Return a function from images to the tensors at the split points, traced once."""
    front = network.front(split_points)
    compute: Callable[[tf.Tensor], list[tf.Tensor]] = tf.function(
        lambda images: tf.nest.flatten(front(images, training=False)),  # Keras unwraps a list of one
        input_signature=[tf.TensorSpec(front.input_shape, tf.float32)],
        autograph=False,
    )
    return compute


def _finite(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(features).all():
        raise DivergedError("The features of the base are NaN or infinite; use other base weights.")
    return features


class _Cache:
    """The features of one split at each split point."""

    def __init__(self, pipeline: InputPipeline, split_points: Sequence[int], context: TrainingContext) -> None:
        self._context, self._pixels = context, pipeline
        self._shapes = {split_point: context.network.shape_at(split_point) for split_point in split_points}
        rows = pipeline.variants * pipeline.images
        self._stores = {
            split_point: PixelStore(rows, shape, np.float32, context.budget)
            for split_point, shape in self._shapes.items()
        }
        self._targets: npt.NDArray[np.float32] = np.empty(pipeline.targets.shape, np.float32)

    def fill(self, compute: Callable[[tf.Tensor], list[tf.Tensor]]) -> None:
        config = self._context.config
        classes = self._targets.shape[-1]
        flat_targets = self._targets.reshape(-1, classes)
        start = 0
        for variant in range(self._pixels.variants):
            draw = (config.seed, variant)
            for inputs, targets, weights in ordered_batches(self._pixels, config.data.batch_size, draw, variant):
                check_finite_inputs(weights)
                for store, features in zip(self._stores.values(), compute(inputs), strict=True):
                    store.write(start, _finite(features.numpy()))
                flat_targets[start : start + len(inputs)] = targets
                start += len(inputs)
                self._context.progress.on_step(len(inputs))

    def pipelines(self) -> dict[int, InputPipeline]:
        return {
            split_point: replace(
                self._pixels,
                rows=store,
                shape=self._shapes[split_point],
                dtype="float32",
                targets=self._targets,
                prepare=prepare_features,
            )
            for split_point, store in self._stores.items()
        }


def _count_rows(data: TrainingData) -> int:
    return sum(pipeline.variants * pipeline.images for pipeline in (data.train, data.val))
