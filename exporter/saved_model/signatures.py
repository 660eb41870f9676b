"""The signatures of a served model, as functions that TensorFlow can save."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from contract.image_input import ImageInput
from contract.signatures import DESCRIBE, HEATMAP, PIXELS_OF_IMAGE, SERVING_DEFAULT, SERVING_PIXELS
from contract.versions import LABELS, MANIFEST
from trainer.data.preprocessing import decode_images, decode_one_image


class ServingSignatures:
    """Builds the signatures of one model, whose `network` maps pixels to probabilities.

    `serving_default`: `image_bytes` string [N] to `probabilities` float32 [N, C], `label` string [N], `valid` bool [N]
    and `brightness` float32 [N], 0 black to 1 white; a row that is not an image has zeros, an empty label and false,
    and does not affect its neighbours.
    `serving_pixels`: `pixels` uint8 [N, H, W, 3] RGB to `probabilities` float32 [N, C].
    `describe`: `query` string [N], not looked at, to `manifest` string [N], the manifest's JSON.
    Every output of these has the batch dimension, or a server that batches would refuse it.
    `pixels_of_image`: `image_bytes` string [], one image, to `pixels` uint8 [H, W, 3] RGB, `valid` bool [] and
    `brightness` float32 []: what comes before the network, for a server that runs the network elsewhere. Zeros and
    false for what is not an image by its header; an InvalidArgument error for one that then cannot be decoded.
    `heatmap`, if there is one: `image_bytes` string [N] to `heatmap` float32 [N, rows, columns], 0 to 1; zeros for what
    is not an image.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        labels: tuple[str, ...],
        image_input: ImageInput,
        labels_asset: Any,
        heatmap: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self._network = network
        self._labels = labels
        self._input = image_input
        self._labels_asset = labels_asset
        self._heatmap = heatmap

    def concrete(self) -> dict[str, Any]:
        """Return a traced function for each signature, by name."""
        images = tf.TensorSpec([None], tf.string, name="image_bytes")
        pixels = tf.TensorSpec([None, self._input.height, self._input.width, 3], tf.uint8, name="pixels")
        specs = {
            SERVING_DEFAULT: (self._predict_bytes, images),
            SERVING_PIXELS: (self._predict_pixels, pixels),
            DESCRIBE: (self._describe, tf.TensorSpec([None], tf.string, name="query")),
            PIXELS_OF_IMAGE: (self._decode_one, tf.TensorSpec([], tf.string, name="image_bytes")),
        }
        if self._heatmap is not None:
            specs[HEATMAP] = (self._show_heatmap, images)
        return {
            name: tf.function(call, autograph=False).get_concrete_function(spec) for name, (call, spec) in specs.items()
        }

    def _predict_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = decode_images(image_bytes, self._input)
        predicted = self._network(decoded.pixels)
        probabilities = tf.where(decoded.valid[:, None], predicted, 0.0)
        best = tf.gather(tf.constant(self._labels), tf.argmax(predicted, axis=1))
        return {
            "probabilities": probabilities,
            "label": tf.where(decoded.valid, best, ""),
            "valid": decoded.valid,
            "brightness": _brightness_of(decoded.pixels),
        }

    def _predict_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": self._network(pixels)}

    def _show_heatmap(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self._heatmap is not None
        decoded = decode_images(image_bytes, self._input)
        return {"heatmap": tf.where(decoded.valid[:, None, None], self._heatmap(decoded.pixels), 0.0)}

    def _describe(self, query: tf.Tensor) -> dict[str, tf.Tensor]:
        # The manifest names a digest over the graph, so the graph cannot contain it: it reads the file that lies
        # in the same version. The labels are an asset, whose path every loader fills in when it loads.
        version = tf.strings.regex_replace(self._labels_asset.asset_path, f"{LABELS}$", "")
        manifest = tf.io.read_file(tf.strings.join([version, MANIFEST]))
        return {"manifest": tf.fill(tf.shape(query), manifest)}

    def _decode_one(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = decode_one_image(image_bytes, self._input)
        return {
            "pixels": tf.cast(decoded.values, tf.uint8),
            "valid": decoded.valid,
            "brightness": tf.squeeze(_brightness_of(tf.expand_dims(decoded.values, 0)), 0),
        }


def _brightness_of(pixels: tf.Tensor) -> tf.Tensor:
    """Return the mean of all values of each image, as `trainer.data.reference_histograms.brightness_of` does.

    For a server that does not decode images itself, to compare with the reference in the manifest. `pixels` are
    uint8, or the same as float32: the sum of a row is exact in both, and the same.
    """
    values = pixels if pixels.dtype.is_floating else tf.cast(pixels, tf.int32)  # half of what float64 takes
    sums = tf.reduce_sum(tf.cast(tf.reduce_sum(values, axis=[2, 3]), tf.float64), axis=1)
    return tf.cast(sums / math.prod(pixels.shape[1:]) / 255, tf.float32)
