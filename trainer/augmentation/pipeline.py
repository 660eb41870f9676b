"""The augmentation pipeline: random changes to training images.

All random numbers are a pure function of a seed and the position in the batch, so that a run can be repeated and
resumed bit for bit. Keras's layers cannot do this: `keras.random` refuses a seed that is a tensor, and each layer keeps
a generator whose state depends on what was drawn before.
"""

from collections.abc import Sequence

import tensorflow as tf

from trainer.augmentation.geometric_transforms import GeometricStep, transform
from trainer.augmentation.mixing import MixingStep, mix
from trainer.augmentation_settings import Brightness, Contrast, Flip, QuarterTurns, Step
from trainer.errors import ConfigurationError

_WHITE = 255.0


class Augmentation:
    """The steps of one run, in their order; called for each batch, eagerly, in a tf.function or in a tf.data map."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self._mixing = [number for number, step in enumerate(steps) if isinstance(step, MixingStep)]
        self.mixes_labels = bool(self._mixing)
        # branches depend on settings alone, and AutoGraph cannot convert `match`
        self._augment_unconverted = tf.autograph.experimental.do_not_convert(self._augment)

    def __call__(self, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Augment a batch; the same seed gives the same result, bit for bit.

        Args:
            pixels: uint8 or float32 [B, H, W, 3] of 0 to 255; H and W are known when this is traced.
            labels: float32 [B, C], the share of each class.
            seed: int32 [2], a different one for each batch.

        Returns:
            pixels, float32 [B, H, W, 3] of 0 to 255, and labels, float32 [B, C].

        Raises:
            ConfigurationError: the steps have quarter turns, and the images are not square.
        """
        augmented: tuple[tf.Tensor, tf.Tensor] = self._augment_unconverted(pixels, labels, seed)
        return augmented

    def _augment(self, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, labels = tf.cast(pixels, tf.float32), tf.cast(labels, tf.float32)
        waiting: list[tuple[GeometricStep, tf.Tensor]] = []
        for number, step in enumerate(self._steps):
            step_seed = tf.random.fold_in(seed, number)
            if isinstance(step, GeometricStep):
                waiting.append((step, step_seed))
                continue
            pixels, waiting = transform(pixels, waiting), []
            if isinstance(step, MixingStep):
                pixels, labels = self._mix(number, step, pixels, labels, seed)
            else:
                pixels = _change(step, pixels, step_seed)
        return transform(pixels, waiting), labels

    def _mix(
        self, number: int, step: MixingStep, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mix the batch if step `number` is drawn: of several mixing steps each batch uses one."""
        step_seed = tf.random.fold_in(seed, number)
        if len(self._mixing) == 1:
            return mix(step, pixels, labels, step_seed)
        turn_seed = tf.random.fold_in(seed, len(self._steps))
        turn = tf.random.stateless_uniform([], turn_seed, 0, len(self._mixing), tf.int32)
        is_its_turn = tf.equal(turn, self._mixing.index(number))
        mixed: tuple[tf.Tensor, tf.Tensor] = tf.cond(
            is_its_turn, lambda: mix(step, pixels, labels, step_seed), lambda: (pixels, labels)
        )
        return mixed


def _change(step: Flip | Brightness | Contrast | QuarterTurns, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    match step:
        case Flip():
            return _flip(step, pixels, seed)
        case Brightness(amount=amount):
            return _clip(pixels + _draw_per_image(pixels, seed, -amount * _WHITE, amount * _WHITE))
        case Contrast(amount=amount):
            return _change_contrast(pixels, _draw_per_image(pixels, seed, 1 - amount, 1 + amount))
        case QuarterTurns():
            return _turn(pixels, seed)


def _draw_per_image(pixels: tf.Tensor, seed: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """Draw float32 [B, 1, 1, 1]."""
    return tf.random.stateless_uniform([tf.shape(pixels)[0], 1, 1, 1], seed, lowest, highest)


def _clip(pixels: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(pixels, 0.0, _WHITE)


def _flip(step: Flip, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    seeds = tf.unstack(tf.random.split(seed, 2))
    if step.horizontal:
        pixels = tf.image.stateless_random_flip_left_right(pixels, seeds[0])
    if step.vertical:
        pixels = tf.image.stateless_random_flip_up_down(pixels, seeds[1])
    return pixels


def _change_contrast(pixels: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    rest = tf.reduce_mean(pixels, [1, 2], keepdims=True) * (1 - factor)
    # along a row first: to broadcast over three channels alone takes five times as long
    return _clip(pixels * factor + tf.tile(rest, [1, 1, pixels.shape[2], 1]))


def _turn(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    height, width = pixels.shape[1:3]
    if height != width:
        raise ConfigurationError(
            f"Quarter turns need square images, and these are {width} wide and {height} high; choose a square size "
            "or leave out quarter_turns."
        )
    quarters = tf.random.stateless_uniform([tf.shape(pixels)[0]], seed, 0, 4, tf.int32)
    turned = tf.map_fn(lambda pair: tf.image.rot90(*pair), (pixels, quarters), fn_output_signature=pixels.dtype)
    return tf.ensure_shape(turned, pixels.shape)
