"""A trained network made for serving: fewer operations, and no variables to restore.

Measured for MobileNetV2 at 224 pixels by `make bench-export`; see docs/exporting.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph
from exporter.saved_model.folding import fold_layers, leave_as_trained
from exporter.saved_model.heatmap import heatmap_of
from exporter.saved_model.tensorflow_internals import freeze_variables
from trainer.data.preprocessing import scale_pixels

_FLOAT32_BYTES = 4
LARGEST_FROZEN_BYTES = 1_500_000_000
"""A SavedModel's graph is one protobuf message, which ends at 2 GiB: larger weights stay variables."""


@dataclass(frozen=True)
class ServedNetwork:
    """What a signature calls, and what the SavedModel must hold for it.

    `predict` maps pixels uint8 [N, H, W, 3] to probabilities float32 [N, C], and `heatmap`, if it was wanted, to
    heatmaps float32 [N, rows, columns]; a frozen network has no `variables`.
    """

    predict: Callable[[tf.Tensor], tf.Tensor]
    variables: list[tf.Variable]
    description: ServedGraph
    heatmap: Callable[[tf.Tensor], tf.Tensor] | None = None


def make_served_network(
    model: Any,
    image_input: ImageInput,
    *,
    fold: bool = True,
    heatmap: bool = False,
    largest_frozen_bytes: int = LARGEST_FROZEN_BYTES,
) -> ServedNetwork:
    """Fold the model's layers into its convolutions, if `fold`, and freeze its variables into constants.

    A frozen `heatmap` has constants of its own, which doubles the file.
    """
    folded = fold_layers(model) if fold else leave_as_trained(model)
    frozen = folded.model.count_params() * _FLOAT32_BYTES <= largest_frozen_bytes

    def served(network: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
        function = tf.function(lambda pixels: _run(network, pixels, image_input), autograph=False)
        return _freeze(function, image_input) if frozen else function

    # Only the bare variables: a Keras object, or a list of Keras variables, saves and loads in Python, and in
    # TensorFlow Serving every request fails with "Could not find variable".
    variables = [] if frozen else [weight.value for weight in folded.model.weights]
    return ServedNetwork(
        predict=served(lambda images: folded.model(images, training=False)),
        heatmap=served(lambda images: heatmap_of(folded.model, images)) if heatmap else None,
        variables=variables,
        description=ServedGraph(
            batch_norms_folded=len(folded.folded),
            batch_norms_kept=len(folded.kept),
            paddings_merged=len(folded.merged),
            frozen=frozen,
        ),
    )


def _run(network: Callable[[tf.Tensor], tf.Tensor], pixels: tf.Tensor, image_input: ImageInput) -> tf.Tensor:
    """Run a network on pixels uint8 [N, H, W, 3]; where N is 0 it sees one row of zeros, whose output is cut off.

    oneDNN's convolution gives a batch of no rows the shape of its input, and the next layer fails.
    """
    values = tf.cast(pixels, tf.float32)
    rows = tf.shape(values)[0]
    # where there is nothing to pad nothing is copied; right before a convolution it would become a part of that
    padded = tf.pad(values, [[0, tf.maximum(1 - rows, 0)], [0, 0], [0, 0], [0, 0]])
    padded.set_shape(values.shape)
    outputs = network(scale_pixels(padded, image_input))
    inner = outputs.shape[1:]
    return tf.slice(outputs, [0] * outputs.shape.rank, [rows, *inner])  # with -1 the classes would be unknown


def _freeze(function: Any, image_input: ImageInput) -> Callable[[tf.Tensor], tf.Tensor]:
    pixels = tf.TensorSpec([None, image_input.height, image_input.width, 3], tf.uint8, name="pixels")
    frozen = freeze_variables(function.get_concrete_function(pixels))

    def run(values: tf.Tensor) -> tf.Tensor:
        (outputs,) = frozen(values)
        return outputs

    return run
