"""Small versions to make TFLite files of: graphs of pixels, saved with what the exporter needs to know of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import BaseWeights, ModelManifest
from contract.versions import LABELS, MANIFEST, digest_of_version
from exporter.tflite.graph import Pixels
from exporter.tflite.metadata import Description
from tests.drawn.images import COLOURS, speckled
from trainer.config import TrainingConfig

SIZE = 24
CLASSES = tuple(COLOURS)
DESCRIPTION = Description("colours", "Which colour an image has.", "7", CLASSES)
IMAGE_INPUT = ImageInput(height=SIZE, width=SIZE)

Prediction = Callable[[tf.Tensor], tf.Tensor]


def save_graph(folder: Path, predict: Prediction, *variables: tf.Variable) -> Path:
    """Save `serving_pixels` with what `predict` makes of float32 [N, SIZE, SIZE, 3]: probabilities [N, 3]."""
    root = tf.Module()
    root.model_variables = list(variables)

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": predict(tf.cast(pixels, tf.float32))}

    spec = tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8, name="pixels")
    function = tf.function(serve, autograph=False).get_concrete_function(spec)
    tf.saved_model.save(root, str(folder), signatures={"serving_pixels": function})
    return folder


def save_version(folder: Path, predict: Prediction) -> ModelManifest:
    """Save a graph as version 7 of the model `colours`, and return its manifest."""
    save_graph(folder, predict)
    (folder / LABELS).parent.mkdir(exist_ok=True)
    (folder / LABELS).write_bytes(DESCRIPTION.labels_file())
    manifest = ModelManifest(
        name="colours",
        version=7,
        created=datetime(2026, 11, 21, 5, tzinfo=UTC),
        labels=CLASSES,
        image_input=IMAGE_INPUT,
        signatures={},
        architecture="mobilenet_v2",
        base_weights=BaseWeights(source="none", digest=None),
        dataset_digest="sha256:" + 64 * "0",
        code_version="0.1.0",
        training_configuration=TrainingConfig().model_dump(mode="json", exclude_none=True),
        metrics={},
        run="20261121-050000-abcd-colours",
        digest=digest_of_version(folder),
    )
    (folder / MANIFEST).parent.mkdir()
    (folder / MANIFEST).write_text(manifest.to_json())
    return manifest


def convolutions(values: tf.Tensor) -> tf.Tensor:
    """Answer through two convolutions, one of them by depth, and a dense layer of 6144 weights."""
    random = np.random.default_rng(5)

    def weights(*shape: int) -> tf.Tensor:
        return tf.constant(random.normal(0, np.prod(shape[:-1]) ** -0.5, shape), tf.float32)

    values = values / 127.5 - 1.0
    values = tf.nn.relu6(tf.nn.conv2d(values, weights(3, 3, 3, 8), 2, "SAME") + weights(8))
    values = tf.nn.relu6(tf.nn.depthwise_conv2d(values, weights(3, 3, 8, 1), [1, 2, 2, 1], "SAME") + weights(8))
    values = tf.nn.relu(tf.reshape(values, [-1, 288]) @ weights(288, 32))
    return tf.nn.softmax(2.0 * values @ weights(32, 3))


def mean_colour(values: tf.Tensor) -> tf.Tensor:
    """Answer with how much there is of blue, green and red."""
    return tf.nn.softmax(tf.reduce_mean(values, [1, 2])[:, ::-1] / 40.0)


def washed_out(values: tf.Tensor) -> tf.Tensor:
    """Answer the same, past a value a thousand times as large as the others on which nothing hangs.

    One scale for the whole tensor leaves the others too few of eight bits, and enough of sixteen.
    """
    colours = tf.reduce_mean(values, [1, 2])[:, ::-1]
    joined = tf.concat([colours, 1000.0 * tf.reduce_sum(colours, axis=1, keepdims=True)], axis=1)
    return tf.nn.softmax(joined @ tf.constant(np.vstack([np.eye(3), np.zeros((1, 3))]), tf.float32) / 40.0)


def draw(count: int, seed: int = 0) -> Pixels:
    """Draw images of the three colours in turn, uint8 [count, SIZE, SIZE, 3], among them black and white."""
    images = [speckled(COLOURS[CLASSES[index % 3]], 1000 * seed + index, SIZE, SIZE) for index in range(count)]
    pixels = np.stack([np.asarray(image) for image in images])
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    return pixels
