"""The signature `heatmap`: where in an image its prediction comes from, with either engine."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from contract.image_input import ImageInput
from contract.signatures import HEATMAP
from contract.versions import MANIFEST
from exporter.errors import ExportError
from exporter.saved_model.heatmap import heatmap_of
from exporter.saved_model.network import make_served_network
from exporter.saved_model.writer import save
from exporter.tflite.litert_network import write_litert_network
from modelserver.engines.litert.model import LitertModel
from tests.drawn.images import encoded, speckled
from tests.trainer.small_network import SIDE, small_base
from trainer.config import HeadSettings
from trainer.data.preprocessing import scale_pixels
from trainer.models.head import add_head

IMAGE_INPUT = ImageInput(height=SIDE, width=SIDE, scale=1 / 127.5, offset=-1.0)
LABELS = ("blue", "green", "red")
Heat = npt.NDArray[np.float32]


def images(count: int = 3) -> npt.NDArray[np.float32]:
    """Return random images as the network takes them."""
    return np.random.default_rng(1).uniform(-1, 1, (count, SIDE, SIDE, 3)).astype(np.float32)


def network(*units: int) -> Any:
    """Return a network with random weights, whose head has hidden layers of these sizes."""
    keras.utils.set_random_seed(5)
    return add_head(small_base(), HeadSettings(units=list(units), dropout=[0.2] * len(units)), len(LABELS))


def by_hand(model: Any, given: npt.NDArray[np.float32]) -> Heat:
    """Return the heatmaps by the definition, with the logit's gradient by differences."""
    _, base, _, *head = model.layers
    features = np.asarray(base(given, training=False), np.float64)
    dense = [[np.asarray(each, np.float64) for each in layer.get_weights()] for layer in head if layer.weights]

    def logits(pooled: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        for kernel, bias in dense[:-1]:
            pooled = np.maximum(pooled @ kernel + bias, 0)
        return pooled @ dense[-1][0] + dense[-1][1]

    maps = []
    for each in features:
        pooled = each.mean((0, 1))
        best, steps = logits(pooled).argmax(), 1e-6 * np.eye(len(pooled))
        slopes = [(logits(pooled + step) - logits(pooled - step))[best] / 2e-6 for step in steps]
        heat = np.maximum(each @ np.array(slopes), 0)
        maps.append(heat / max(heat.max(), 1e-30))
    return np.array(maps, np.float32)


@pytest.mark.parametrize("units", [(), (6,), (8, 6)])
def test_a_heatmap_is_grad_cam(units: tuple[int, ...]) -> None:
    """The map is the features, weighted by what each does to the likeliest class, without what speaks against it."""
    model, given = network(*units), images()
    heat = heatmap_of(model, tf.constant(given)).numpy()
    assert heat.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(heat, by_hand(model, given), atol=1e-4)
    assert heat.max((1, 2)).tolist() == [1.0, 1.0, 1.0]


def test_a_sure_prediction_has_a_heatmap() -> None:
    """Where the probability is 1 and its own gradient 0, the map is that of the logit."""
    model, given = network(), images()
    kernel, bias = model.layers[-1].get_weights()
    unsure = heatmap_of(model, tf.constant(given)).numpy()
    model.layers[-1].set_weights([1e4 * kernel, 1e4 * bias])
    assert np.asarray(model(given)).max(1).tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(heatmap_of(model, tf.constant(given)).numpy(), unsure, atol=1e-4)


def test_another_kind_of_network_is_refused() -> None:
    """A network without pooling before its dense layers has no heatmap, and the export says so."""
    given = keras.Input((SIDE, SIDE, 3))
    values = keras.layers.Flatten()(small_base()(given))
    model = keras.Model(given, keras.layers.Dense(3, activation="softmax")(values))
    with pytest.raises(ExportError, match="has no heatmap"):
        heatmap_of(model, tf.constant(images()))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with heatmaps and a network for LiteRT."""
    folder = tmp_path_factory.mktemp("models") / "colours" / "1"
    served = make_served_network(network(6), IMAGE_INPUT, heatmap=True)
    described = save(served, LABELS, IMAGE_INPUT, folder)
    assert described[HEATMAP].outputs[HEATMAP].shape == (None, SIDE, SIDE)
    (folder / MANIFEST).parent.mkdir(exist_ok=True)
    write_litert_network(folder, served.description)
    (folder / MANIFEST).write_text("{}")
    return folder


def test_both_engines_have_the_same_heatmaps(version: Path) -> None:
    """By TensorFlow and by LiteRT's engine a version gives the map of each image, and zeros for what is none."""
    contents = [encoded(speckled((200, 60, 40), 1), "PNG"), b"no image", encoded(speckled((10, 60, 200), 2), "JPEG")]
    given = np.array(contents, np.object_)
    by_tensorflow = tf.saved_model.load(str(version)).signatures[HEATMAP](tf.constant(contents))[HEATMAP].numpy()
    by_litert = LitertModel.load(version).run(HEATMAP, {"image_bytes": given})[HEATMAP]
    np.testing.assert_allclose(by_litert, by_tensorflow, atol=1e-5)
    assert by_tensorflow[1].max() == 0
    pixels = tf.saved_model.load(str(version)).signatures["pixels_of_image"](tf.constant(contents[2]))["pixels"]
    scaled = scale_pixels(tf.cast(pixels[None], tf.float32), IMAGE_INPUT).numpy()
    np.testing.assert_allclose(by_tensorflow[2:], by_hand(network(6), scaled), atol=1e-3)


def test_no_images_have_no_heatmaps(version: Path) -> None:
    """A request of no rows has no rows in its response."""
    signature = tf.saved_model.load(str(version)).signatures[HEATMAP]
    assert signature(tf.constant([], tf.string))[HEATMAP].shape == (0, SIDE, SIDE)
