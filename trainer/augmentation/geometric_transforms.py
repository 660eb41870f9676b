"""Geometric transforms of images: rotation, zoom and crop.

Consecutive steps become one matrix and so one interpolation: less blur than one each, and as fast as one.
Coordinates are computed in float64: graph rewriting and vector instructions change the last bit, which float32 drops.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from trainer.augmentation_settings import Crop, Rotation, Zoom

GeometricStep = Rotation | Zoom | Crop

_MOST_STRETCHED = 4 / 3


class _Boxes(NamedTuple):
    """Boxes to crop, each float64 [B]: size, and offset of the centre right and down, as shares of the image."""

    wide: tf.Tensor
    high: tf.Tensor
    right: tf.Tensor
    down: tf.Tensor


def transform(pixels: tf.Tensor, steps: Sequence[tuple[GeometricStep, tf.Tensor]]) -> tf.Tensor:
    """Apply `steps`, each with its seed, int32 [2], to float32 [B, H, W, 3], bilinearly; H and W are known.

    Outside of an image is its mirror image.
    """
    if not steps:
        return pixels
    first, seed = steps[0]
    if len(steps) == 1 and isinstance(first, Crop):
        return _crop(pixels, _draw_boxes(first, tf.shape(pixels)[0], seed))
    matrices = [_draw(step, pixels, seed) for step, seed in steps]
    matrix = functools.reduce(tf.matmul, matrices)  # the first step is applied to the source
    return keras.ops.image.affine_transform(
        pixels, _from_the_corner(matrix, pixels), interpolation="bilinear", fill_mode="reflect"
    )


def _draw(step: GeometricStep, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw float64 [B, 3, 3]: from coordinates in the result, in pixels from the centre, to those in the source."""
    count, height, width = tf.shape(pixels)[0], pixels.shape[1], pixels.shape[2]
    match step:
        case Rotation(degrees=degrees):
            most = math.radians(degrees)
            angle = _uniform(count, seed, -most, most)
            return _matrices([tf.cos(angle), -tf.sin(angle), 0], [tf.sin(angle), tf.cos(angle), 0])
        case Zoom(amount=amount):
            smaller = 1 / _uniform(count, seed, 1 - amount, 1 + amount)
            return _matrices([smaller, 0, 0], [0, smaller, 0])
        case Crop():
            box = _draw_boxes(step, count, seed)
            return _matrices([box.wide, 0, box.right * width], [0, box.high, box.down * height])


def _draw_boxes(step: Crop, count: tf.Tensor, seed: tf.Tensor) -> _Boxes:
    seeds = tf.unstack(tf.random.split(seed, 4))
    area = _uniform(count, seeds[0], step.smallest, 1)
    # limited so that the longer side fits and no draw has to be rejected
    most = tf.minimum(-tf.math.log(area), tf.constant(math.log(_MOST_STRETCHED), tf.float64))
    stretch = tf.exp(_uniform(count, seeds[1], -0.5, 0.5) * most)
    wide, high = tf.sqrt(area) * stretch, tf.sqrt(area) / stretch
    right = _uniform(count, seeds[2], -0.5, 0.5) * (1 - wide)
    down = _uniform(count, seeds[3], -0.5, 0.5) * (1 - high)
    return _Boxes(wide, high, right, down)


def _uniform(count: tf.Tensor, seed: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """Draw float64 [B]."""
    return tf.random.stateless_uniform([count], seed, lowest, highest, tf.float64)


def _matrices(to_x: Sequence[tf.Tensor | int], to_y: Sequence[tf.Tensor | int]) -> tf.Tensor:
    """Return [B, 3, 3] from the coefficients of x, y and 1, each [B] or a number, the first of all [B]."""
    entries = [entry + tf.zeros_like(to_x[0]) for entry in (*to_x, *to_y, 0, 0, 1)]
    return tf.reshape(tf.stack(entries, axis=-1), [-1, 3, 3])


def _from_the_corner(matrix: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Convert [B, 3, 3] with its origin in the centre to [B, 8] with its origin in the upper left pixel."""
    height, width = pixels.shape[1:3]
    middle = tf.constant([[(width - 1) / 2], [(height - 1) / 2]], tf.float64)
    linear, shift = matrix[:, :2, :2], matrix[:, :2, 2:]
    rows = tf.concat([linear, shift + middle - linear @ middle], axis=2)
    return tf.pad(tf.cast(tf.reshape(rows, [-1, 6]), tf.float32), [[0, 0], [0, 2]])


def _crop(pixels: tf.Tensor, box: _Boxes) -> tf.Tensor:
    """Stretch boxes of float32 [B, H, W, 3] to the whole, three times as fast as `affine_transform`."""
    left, right = 0.5 + box.right - 0.5 * box.wide, 0.5 + box.right + 0.5 * box.wide
    top, bottom = 0.5 + box.down - 0.5 * box.high, 0.5 + box.down + 0.5 * box.high
    # anything outside 0 to 1 after rounding would become black
    corners = tf.clip_by_value(tf.cast(tf.stack([top, left, bottom, right], axis=-1), tf.float32), 0.0, 1.0)
    return tf.image.crop_and_resize(pixels, corners, tf.range(tf.shape(pixels)[0]), pixels.shape[1:3])
