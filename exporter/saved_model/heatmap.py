"""Where in an image its prediction comes from: Grad-CAM over what the base sees last.

Selvaraju et al., 2017: the channels of the last feature map, each weighted by how much it raises the likeliest class.
"""

from typing import Any

import keras
import tensorflow as tf

from exporter.errors import ExportError


def heatmap_of(model: Any, images: tf.Tensor) -> tf.Tensor:
    """Return the heatmaps of images float32 [N, H, W, 3], scaled for the network: float32 [N, rows, columns], 0 to 1.

    1 is where the image speaks most for its likeliest class; 0 everywhere if nothing in it does.

    Raises:
        ExportError: the network does not end in global average pooling and dense layers.
    """
    base, *dense = _parts_of(model)
    features = tf.cast(base(images, training=False), tf.float32)
    pooled = tf.reduce_mean(features, axis=[1, 2])
    with tf.GradientTape() as tape:
        tape.watch(pooled)
        values = pooled
        for layer in dense[:-1]:
            values = layer(values)
        # not the probability: where that is 1, its gradient is 0
        likeliest = tf.reduce_max(tf.matmul(values, dense[-1].kernel) + dense[-1].bias, axis=1)
    weights = tape.gradient(likeliest, pooled)
    heat = tf.nn.relu(tf.reduce_sum(features * weights[:, None, None, :], axis=3))
    return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))


def _parts_of(model: Any) -> list[Any]:
    """Return the base and the head's dense layers; dropout does nothing in use."""
    _, base, pool, *head = model.layers
    dense = [layer for layer in head if not isinstance(layer, keras.layers.Dropout)]
    if not (isinstance(pool, keras.layers.GlobalAveragePooling2D) and dense) or any(
        not isinstance(layer, keras.layers.Dense) for layer in dense
    ):
        raise ExportError("This network does not end in pooling and dense layers, so it has no heatmap; leave it out.")
    return [base, *dense]
