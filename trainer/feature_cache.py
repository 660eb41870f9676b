"""What the frozen front of the network makes of each picture, computed once."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import TrainingConfig
from trainer.errors import ConfigurationError, DivergedError
from trainer.feeding import Feed, TrainingData, as_they_are, ordered_batches, see_finite_inputs
from trainer.network import POOLED, Network
from trainer.pixel_store import MemoryBudget, PixelStore
from trainer.progress import Progress

_FLOAT_BYTES = 4
_SHARE_OF_FREE_DISK = 0.5


def is_cacheable(config: TrainingConfig) -> bool:
    """Say whether each picture has a fixed number of variants, so that its features can be computed once.

    Raises:
        ConfigurationError: caching is demanded where pictures are drawn anew in each epoch.
    """
    fixed = not config.augmentation.steps or config.augmentation.views > 0
    if config.phase_one.cache_features == "always" and not fixed:
        raise ConfigurationError(
            'phase_one.cache_features is "always", but the augmentation is drawn anew in each epoch; '
            "set augmentation.views to the number of fixed variants of each picture."
        )
    return fixed and config.phase_one.cache_features != "never"


def cuts_worth_caching(network: Network, unfrozen: Sequence[int], rows: int) -> list[int]:
    """Return the cuts whose features are computed: the pooled ones, and a stage's where they fit on half the disk."""
    room = shutil.disk_usage(tempfile.gettempdir()).free * _SHARE_OF_FREE_DISK
    cuts = [POOLED]
    for cut in sorted({cut for count in unfrozen if (cut := network.cut_for(count))}):
        needed = rows * int(np.prod(network.shape_at(cut))) * _FLOAT_BYTES
        if needed <= room:
            cuts.append(cut)
            room -= needed
    return cuts


def compute_features(
    network: Network,
    cuts: Sequence[int],
    pixels: TrainingData,
    config: TrainingConfig,
    budget: MemoryBudget,
    progress: Progress,
) -> dict[int, TrainingData]:
    """Run every variant of every training and validation image through the front once; what crosses each cut.

    Raises:
        DivergedError: what goes into the front, or comes out of it, is NaN or infinite.
    """
    compute = compiled_front(network, cuts)
    rows = sum(feed.variants * feed.pictures for feed in (pixels.train, pixels.val))
    progress.on_work("computing what the frozen layers see", rows)
    caches = [_Cache(feed, cuts, network, budget) for feed in (pixels.train, pixels.val)]
    for cache in caches:
        cache.fill(compute, config, progress)
    train, val = (cache.feeds() for cache in caches)
    return {cut: TrainingData(train[cut], val[cut]) for cut in cuts}


def compiled_front(network: Network, cuts: Sequence[int]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Return a function from pictures to what crosses each cut, traced once."""
    front = network.front(cuts)
    compute: Callable[[tf.Tensor], list[tf.Tensor]] = tf.function(
        lambda pictures: tf.nest.flatten(front(pictures, training=False)),  # Keras unwraps a list of one
        input_signature=[tf.TensorSpec(front.input_shape, tf.float32)],
    )
    return compute


def _finite(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(features).all():
        raise DivergedError("The base answers images with NaN or infinite features; give it other weights.")
    return features


class _Cache:
    """The features of one split at each cut."""

    def __init__(self, feed: Feed, cuts: Sequence[int], network: Network, budget: MemoryBudget) -> None:
        self._pixels = feed
        self._shapes = {cut: network.shape_at(cut) for cut in cuts}
        rows = feed.variants * feed.pictures
        self._stores = {cut: PixelStore(rows, shape, np.float32, budget) for cut, shape in self._shapes.items()}
        self._targets: npt.NDArray[np.float32] = np.empty(feed.targets.shape, np.float32)

    def fill(self, compute: Callable[[tf.Tensor], list[tf.Tensor]], config: TrainingConfig, progress: Progress) -> None:
        classes = self._targets.shape[-1]
        flat_targets = self._targets.reshape(-1, classes)
        start = 0
        for variant in range(self._pixels.variants):
            draw = (config.seed, variant)
            for inputs, targets, weights in ordered_batches(self._pixels, config.data.batch_size, draw, variant):
                see_finite_inputs(weights)
                for store, features in zip(self._stores.values(), compute(inputs), strict=True):
                    store.write(start, _finite(features.numpy()))
                flat_targets[start : start + len(inputs)] = targets
                start += len(inputs)
                progress.on_step(len(inputs))

    def feeds(self) -> dict[int, Feed]:
        return {
            cut: replace(
                self._pixels,
                rows=store,
                shape=self._shapes[cut],
                dtype="float32",
                targets=self._targets,
                prepare=as_they_are,
            )
            for cut, store in self._stores.items()
        }
