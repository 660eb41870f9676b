"""A model, and the parts into which training splits it: a frozen front, computed once, and a tail that is trained."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from trainer.models.architectures import BASE
from trainer.models.base import batch_norms, dropouts, split_points, split_tensor
from trainer.progress import PhaseName

POOLED = 0
"""The split point behind the base and its pooling: the tail is the head's dense layers alone."""


@dataclass(frozen=True)
class Network:
    """The whole model: images float32 [N, H, W, 3] to probabilities float32 [N, C]."""

    model: Any

    @property
    def base(self) -> Any:
        """The pretrained part."""
        return self.model.get_layer(BASE)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.model.output_shape[-1])

    def changing_variables(self, phase: PhaseName) -> list[Any]:
        """Return the variables that a stage changes; from scratch, including BatchNorm's averages."""
        return list(self.model.weights if phase == "from_scratch" else self.model.trainable_variables)

    def front(self, split_points: Sequence[int]) -> Any:
        """Return a model from images to the tensor at each split point, float32 each; layers are shared.

        A split point is the number of the base's layers behind it, or `POOLED`.
        """
        outputs = [self._split_tensor(split_point) for split_point in split_points]
        return keras.Model(self.base.input, [keras.layers.Activation("linear", dtype="float32")(x) for x in outputs])

    def tail(self, split_point: int) -> Any:
        """Return a model from the tensor at the split point to probabilities; layers are shared."""
        pool, *dense = self._head()
        tensor = self._split_tensor(split_point)
        values = features = keras.Input(tensor.shape[1:])
        if split_point != POOLED:
            values = pool(keras.Model(tensor, self.base.output)(features))
        for layer in dense:
            values = layer(values)
        return keras.Model(features, values)

    def split_point_for(self, unfrozen: int) -> int | None:
        """Return the split point nearest to the head that has the last `unfrozen` layers in its tail; None for none."""
        if unfrozen == 0:
            return POOLED
        return next((point for point in split_points(self.base) if unfrozen <= point < len(self.base.layers)), None)

    def shape_at(self, split_point: int) -> tuple[int, ...]:
        """Return the shape of the tensor at the split point, for one image."""
        return tuple(self._split_tensor(split_point).shape[1:])

    def unfreeze(self, count: int) -> None:
        """Make the head and the last `count` layers of the base trainable, but no BatchNorm of the base.

        `base(x, training=False)` does not freeze BatchNorm in Keras 3: `fit` passes training=True through the graph
        over it. Only `trainable = False` on each BatchNorm does. Flags are set one by one, since setting the base's
        flag to the value that it already has does not change the layers' flags.
        """
        base = self.base
        base.trainable = True
        for index, layer in enumerate(base.layers):
            layer.trainable = index >= len(base.layers) - count
        for layer in batch_norms(base):
            layer.trainable = False

    def unfreeze_everything(self) -> None:
        """Make every layer trainable, including BatchNorm: for training from scratch."""
        self.base.trainable = True
        for layer in self.base.layers:
            layer.trainable = True

    @contextmanager
    def without_frozen_dropout(self, unfrozen: int) -> Iterator[None]:
        """Switch off dropout in the frozen layers, so that their output for an image is always the same."""
        frozen = dropouts(self.base, before_last=unfrozen)
        rates = [layer.rate for layer in frozen]
        for layer in frozen:
            layer.rate = 0.0
        try:
            yield
        finally:
            for layer, rate in zip(frozen, rates, strict=True):
                layer.rate = rate

    def seed_dropouts(self, *seed: int) -> None:
        """Seed all dropout layers, so that what they draw depends on `seed` alone."""
        random = np.random.default_rng(seed)
        for layer in [*dropouts(self.base), *self._head()]:
            if generator := getattr(layer, "seed_generator", None):
                generator.state.assign(random.integers(0, 2**31, 2).astype(generator.state.dtype))

    def _split_tensor(self, split_point: int) -> Any:
        pool = self._head()[0]
        return pool(self.base.output) if split_point == POOLED else split_tensor(self.base, split_point)

    def _head(self) -> list[Any]:
        layers: list[Any] = self.model.layers
        return layers[layers.index(self.base) + 1 :]
