"""A small version as the exporter writes it, with a network for LiteRT."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph
from contract.versions import MANIFEST, WARMUP
from exporter.saved_model.network import ServedNetwork
from exporter.saved_model.warmup import write_warmup
from exporter.saved_model.writer import save
from exporter.tflite.litert_network import write_litert_network
from tests.fakes.images import encoded, speckled

SIZE = 24
LABELS = ("red", "green", "blue")
SERVED_GRAPH = ServedGraph(batch_norms_folded=0, batch_norms_kept=0, paddings_merged=0, frozen=True)
MANIFEST_TEXT = '{"name": "colours"}'


def write_version(folder: Path, *, with_network: bool = True, seed: int = 0, repeats: int = 1) -> Path:
    """Write a version that answers pictures of SIZE by SIZE pixels with LABELS; weights are drawn with `seed`.

    The convolution is done `repeats` times, to no other end.
    """
    image_input = ImageInput(height=SIZE, width=SIZE)
    save(ServedNetwork(_network(seed, repeats), [], SERVED_GRAPH), LABELS, image_input, folder)
    if with_network:
        write_litert_network(folder, SERVED_GRAPH)
    write_warmup(folder / WARMUP, "colours", picture(0))
    (folder / MANIFEST).write_text(MANIFEST_TEXT)
    return folder


def picture(seed: int) -> bytes:
    """Return a JPEG of random blocks."""
    return encoded(speckled((200, 60 * (seed % 4), 40), seed), "JPEG")


def _network(seed: int, repeats: int) -> Any:
    draw = np.random.default_rng(seed).normal
    kernel = tf.constant(draw(0, 0.3, (5, 5, 3, 4)), tf.float32)
    weights = tf.constant(draw(0, 1, (4, 3)), tf.float32)

    def answer(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(pixels, tf.float32) / 127.5 - 1
        shifted = [values + 0.001 * number for number in range(repeats)]
        convolved = [tf.nn.relu(tf.nn.conv2d(each, kernel, 2, "SAME")) for each in shifted]
        features = tf.reduce_mean(tf.add_n(convolved), axis=[1, 2])
        return tf.nn.softmax(features @ weights)

    return answer
