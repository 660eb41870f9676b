"""A small version as the exporter writes it, with a network for LiteRT."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph
from contract.versions import MANIFEST, WARMUP
from exporter.saved_model.network import ServedNetwork
from exporter.saved_model.warmup import write_warmup
from exporter.saved_model.writer import save
from exporter.tflite.litert_network import write_litert_network
from modelserver.model.tensors import Array
from tests.drawn.images import encoded, gradient, speckled

SIZE = 24
LABELS = ("red", "green", "blue")
SERVED_GRAPH = ServedGraph(batch_norms_folded=0, batch_norms_kept=0, paddings_merged=0, frozen=True)
_MADE = tempfile.TemporaryDirectory(prefix="graft-versions-")
atexit.register(_MADE.cleanup)
MANIFEST_TEXT = '{"name": "colours"}'


def write_version(folder: Path, *, with_network: bool = True, seed: int = 0, repeats: int = 1) -> Path:
    """Write a version that answers images of SIZE by SIZE pixels with LABELS; weights are drawn with `seed`.

    The convolution is done `repeats` times, to no other end. Each is made once by a process, and copied from then on.
    """
    shutil.copytree(_written(with_network, seed, repeats), folder)
    return folder


@functools.cache
def _written(with_network: bool, seed: int, repeats: int) -> Path:
    folder = Path(_MADE.name) / f"{with_network}-{seed}-{repeats}"
    image_input = ImageInput(height=SIZE, width=SIZE)
    save(ServedNetwork(_network(seed, repeats), [], SERVED_GRAPH), LABELS, image_input, folder)
    if with_network:
        write_litert_network(folder, SERVED_GRAPH)
    write_warmup(folder / WARMUP, "colours", image(0))
    (folder / MANIFEST).write_text(MANIFEST_TEXT)
    return folder


def image(seed: int) -> bytes:
    """Return a JPEG of random blocks."""
    return encoded(speckled((200, 60 * (seed % 4), 40), seed), "JPEG")


def _network(seed: int, repeats: int) -> Any:
    draw = np.random.default_rng(seed).normal
    kernel = tf.constant(draw(0, 0.3, (5, 5, 3, 4)), tf.float32)
    weights = tf.constant(draw(0, 1, (4, 3)), tf.float32)

    def respond(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(pixels, tf.float32) / 127.5 - 1
        shifted = [values + 0.001 * number for number in range(repeats)]
        convolved = [tf.nn.relu(tf.nn.conv2d(each, kernel, 2, "SAME")) for each in shifted]
        features = tf.reduce_mean(tf.add_n(convolved), axis=[1, 2])
        return tf.nn.softmax(features @ weights)

    return respond


CONTENTS = [
    image(1),
    b"no image",
    image(2)[:400],
    encoded(gradient(), "PNG"),
    b"",
    encoded(gradient(), "GIF"),
    image(3),
]
"""Good ones, one that ends early, and some that are none."""


def strings(values: list[bytes]) -> npt.NDArray[np.object_]:
    """Return an array of `bytes`."""
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def assert_same(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """Floats may differ by rounding; names, types, shapes and everything else are the same."""
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        if array.dtype == np.float32:
            np.testing.assert_allclose(found[name], array, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[name], array)
