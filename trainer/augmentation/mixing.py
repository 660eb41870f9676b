"""Mixing steps: images mixed in pairs, and their labels in the same proportion."""

import tensorflow as tf

from trainer.augmentation_settings import CutMix, MixUp

MixingStep = MixUp | CutMix


def mix(step: MixingStep, pixels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mix float32 [B, H, W, 3] and float32 [B, C] with the same batch, rolled by a number of places from `seed`.

    No image is mixed with itself, unless it is alone.
    """
    seeds = tf.unstack(tf.random.split(seed, 3))
    count = tf.shape(pixels)[0]
    places = tf.random.stateless_uniform([], seeds[0], 1, tf.maximum(count, 2), tf.int32)
    kept = _draw_shares(step.alpha, count, seeds[1])[:, None, None, None]
    if isinstance(step, CutMix):
        kept = 1 - _draw_rectangles(kept[:, 0, 0, 0], pixels.shape[1], pixels.shape[2], seeds[2])
    mixed = kept * pixels + (1 - kept) * tf.roll(pixels, places, 0)
    share = tf.reduce_mean(kept, [1, 2, 3])[:, None]
    return mixed, share * labels + (1 - share) * tf.roll(labels, places, 0)


def _draw_shares(alpha: float, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw float32 [B] from Beta(alpha, alpha): the share of one gamma variable in the sum of two.

    In logarithms, and by Gamma(a) = Gamma(a + 1) · U^(1/a): with a small alpha both underflow to 0.
    In float64, as in `geometric_transforms`: changes of the last bit by graph rewriting must not reach float32.
    """
    seeds = tf.unstack(tf.random.split(seed, 4))
    one, other = (
        tf.math.log(
            tf.random.stateless_gamma([count], gamma_seed, tf.constant(alpha + 1, tf.float64), dtype=tf.float64)
        )
        + tf.math.log1p(-tf.random.stateless_uniform([count], power_seed, dtype=tf.float64)) / alpha
        for gamma_seed, power_seed in (seeds[:2], seeds[2:])
    )
    return tf.cast(tf.sigmoid(one - other), tf.float32)


def _draw_rectangles(kept: tf.Tensor, height: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw float32 [B, H, W, 3], ones in a rectangle: 1 - `kept` of the area, before it is clipped at the edges.

    As factors, not as a condition: `tf.where` on four axes takes four times as long as two products.
    """
    side = tf.sqrt(1 - kept)
    seeds = tf.unstack(tf.random.split(seed, 2))
    rows = _draw_span(side, height, seeds[0])[:, :, None, None]
    columns = tf.repeat(_draw_span(side, width, seeds[1])[:, None, :, None], 3, axis=3)
    return rows * columns


def _draw_span(share: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw float32 [B, size], ones around a random position: `share` of `size`, before clipping at the ends."""
    length = tf.cast(share * size, tf.int32)
    middle = tf.random.stateless_uniform(tf.shape(share), seed, 0, size, tf.int32)
    start = (middle - length // 2)[:, None]
    place = tf.range(size)
    return tf.cast((place >= start) & (place < start + length[:, None]), tf.float32)
