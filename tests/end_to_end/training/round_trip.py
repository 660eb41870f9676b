"""An architecture's way from random weights to an answering SavedModel, at a small size, in one process."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from contract.image_input import ImageInput
from contract.versions import MANIFEST
from exporter.saved_model.network import make_served_network
from exporter.saved_model.operations import unknown_operations
from exporter.saved_model.warmup import string_array
from exporter.saved_model.writer import save
from scripts.architecture_table import table_row
from tests.drawn.images import COLOURS, encoded, speckled
from tests.places import ROOT
from trainer.config import ModelSettings, read_config
from trainer.data.preprocessing import scale_pixels
from trainer.data.reference_histograms import brightness_of
from trainer.models.architectures import ARCHITECTURES, image_input_of, spec_of
from trainer.models.base import batch_norms, block_split_points, build_base, dropouts, split_tensor
from trainer.models.defaults import fill_in

Array = npt.NDArray[Any]
DOCUMENTATION = ROOT / "docs" / "architectures.md"
SPREAD = 1e-3
"""How far apart the answers to different images must be for a comparison to mean anything."""

_GENTLE = keras.initializers.RandomNormal(stddev=0.01)
"""Of the head: rounding differs by up to 2e-5 between two ways to run the deepest networks under a larger one."""


@dataclass(frozen=True)
class Grown:
    """A base whose BatchNorm has seen images, under a head of three classes."""

    settings: ModelSettings
    unfreeze: int
    base: Any
    model: Any
    pixels: Array
    image_input: ImageInput

    def predictions(self, model: Any) -> Array:
        """Ask a Keras model for the probabilities of the images, float32 [N, 3]."""
        predicted: Array = model(scale_pixels(self.pixels, self.image_input), training=False).numpy()
        return predicted

    def train_one_step(self) -> None:
        """Take one step with the last layers of the base unfrozen, and no BatchNorm."""
        for index, layer in enumerate(self.base.layers):
            layer.trainable = index >= len(self.base.layers) - self.unfreeze
        for layer in batch_norms(self.base):
            layer.trainable = False
        self.model.compile(keras.optimizers.Adam(1e-5), keras.losses.SparseCategoricalCrossentropy(), run_eagerly=True)
        labels = np.arange(len(self.pixels)) % len(COLOURS)
        self.model.train_on_batch(scale_pixels(self.pixels, self.image_input), labels)


def grow(architecture: str, weights: str, size: int | None) -> Grown:
    """Build the base, let its BatchNorm follow drawn images, and put a head on it.

    With untouched statistics a deep network answers the same to everything, and every comparison succeeds.
    """
    keras.utils.set_random_seed(5)
    overrides = {"model.architecture": architecture, "model.weights": weights}
    config = fill_in(read_config(None, overrides | ({"model.image_size": size} if size else {})))
    assert config.phase_two.unfreeze is not None
    base = build_base(config.model)
    image_input = image_input_of(config.model)
    pixels = _draw(image_input.height)
    _follow(base, scale_pixels(pixels, image_input))
    images = keras.Input(base.input_shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D()(base(images))
    model = keras.Model(
        images, keras.layers.Dense(len(COLOURS), activation="softmax", kernel_initializer=_GENTLE)(pooled)
    )
    return Grown(config.model, config.phase_two.unfreeze[0], base, model, pixels, image_input)


def predict_as_serving_loads(folder: Path, pixels: Array) -> dict[str, dict[str, Array]]:
    """Load the SavedModel through the graph's own restore operation, and ask each signature about the images.

    Their files are PNGs, which keep every pixel; one more is no image.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the loader is deprecated; Serving's is the same
    files = string_array([*(encoded(Image.fromarray(image), "PNG") for image in pixels), b"no image"])
    requests: dict[str, Any] = {
        "serving_pixels": pixels,
        "serving_default": files,
        "describe": string_array([b"", b""]),
        "pixels_of_image": files[-2],
    }
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder)).signature_def
        return {name: _predict(session, signatures[name], request_of) for name, request_of in requests.items()}


def _predict(session: Any, signature: Any, request_of: Any) -> dict[str, Array]:
    (requested,) = signature.inputs.values()
    predictions: dict[str, Array] = session.run(
        {key: tensor.name for key, tensor in signature.outputs.items()}, {requested.name: request_of}
    )
    return predictions


def assert_exported(model: Any, descended: Grown, folder: Path) -> None:
    """Write the model as it is served: its four signatures answer as the model, and 2.18 knows every operation."""
    labels = tuple(COLOURS)
    network = make_served_network(model, descended.image_input)
    save(network, labels, descended.image_input, folder)
    (folder / MANIFEST).parent.mkdir()
    (folder / MANIFEST).write_text("the manifest")
    assert unknown_operations(folder) == []
    assert network.description.frozen
    assert network.description.batch_norms_folded > 0
    expected, bound = descended.predictions(model), max(1e-5, 3 * _noise(model, descended))
    predictions = predict_as_serving_loads(folder, descended.pixels)
    np.testing.assert_allclose(predictions["serving_pixels"]["probabilities"], expected, rtol=0, atol=bound)
    default = predictions["serving_default"]
    with_refused = np.concatenate([expected, np.zeros_like(expected[:1])])
    np.testing.assert_allclose(default["probabilities"], with_refused, rtol=0, atol=bound)
    assert [label.decode() for label in default["label"]] == [*(labels[row.argmax()] for row in expected), ""]
    assert default["valid"].tolist() == [*(True for _ in expected), False]
    np.testing.assert_array_equal(default["brightness"], [*brightness_of(descended.pixels), 0.0])
    np.testing.assert_array_equal(predictions["pixels_of_image"]["pixels"], descended.pixels[-1])
    assert predictions["describe"]["manifest"].tolist() == 2 * [b"the manifest"]


def _noise(model: Any, descended: Grown) -> float:
    """Return how far the answers move when each weight is rounded once more.

    Folding rounds each weight once. A deep network of random weights, unlike a trained one, makes 2e-4 of that
    (InceptionV3 at 75 pixels); most rows stay under 1e-6.
    """
    weights = [np.array(weight) for weight in model.get_weights()]
    signs = np.random.default_rng(0)
    predictions = descended.predictions(model)
    model.set_weights([weight * (1 + 6e-8 * signs.choice([-1, 1], weight.shape)) for weight in weights])
    moved = descended.predictions(model)
    model.set_weights(weights)
    return float(np.abs(moved - predictions).max())


def assert_row_is_documented(name: str, base: Any) -> None:
    """Compare the row of docs/architectures.md with the code."""
    assert table_row(name, ARCHITECTURES[name], base) in DOCUMENTATION.read_text().splitlines()


def assert_splits(descended: Grown) -> None:
    """Cut the base where its default says, and compare the halves with the whole."""
    assert descended.unfreeze in block_split_points(descended.base, spec_of(descended.settings.architecture))
    tensor = split_tensor(descended.base, descended.unfreeze)
    front, tail = keras.Model(descended.base.input, tensor), keras.Model(tensor, descended.base.output)
    values = scale_pixels(descended.pixels, descended.image_input)
    whole = descended.base(values, training=False).numpy()
    np.testing.assert_allclose(tail(front(values, training=False), training=False).numpy(), whole, rtol=0, atol=1e-6)
    assert np.ptp(whole, axis=0).max() > SPREAD


def assert_round_trip(descended: Grown, folder: Path) -> None:
    """Train, save, reload and export the model; every one of them answers as the trained one."""
    before = [np.array(weight) for weight in descended.base.get_weights()]
    descended.train_one_step()
    first_to_move = len(descended.base.weights) - sum(
        len(layer.weights) for layer in descended.base.layers[-descended.unfreeze :]
    )
    moved = [not np.array_equal(old, new) for old, new in zip(before, descended.base.get_weights(), strict=True)]
    assert not any(moved[:first_to_move])
    assert any(moved[first_to_move:])
    predictions = descended.predictions(descended.model)
    assert np.ptp(predictions, axis=0).max() > SPREAD  # a model that always answers the same proves nothing
    descended.model.save(folder / "model.keras", include_optimizer=False)
    reloaded = keras.saving.load_model(folder / "model.keras", compile=False)
    np.testing.assert_allclose(descended.predictions(reloaded), predictions, rtol=0, atol=1e-6)
    assert_exported(reloaded, descended, folder / "exported")


def _draw(size: int) -> Array:
    colours = list(COLOURS.values())
    images = [speckled(colours[index % len(colours)], index, size, size) for index in range(6)]
    return np.stack([np.asarray(image) for image in images])


def _follow(base: Any, values: Any) -> None:
    """Let BatchNorm take over the statistics of the images, and give EfficientNet's input normalisation real ones."""
    for layer in base.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.052, 0.050, 0.051]), np.array(1)])
            layer.finalize_state()
    for layer in dropouts(base):
        layer.rate = 0.0
    _quieten_branches(base)
    for layer in batch_norms(base):
        layer.momentum = 0.0
    base(values, training=True)


def _quieten_branches(base: Any) -> None:
    """Let each residual branch add a fiftieth of what goes past it.

    Random BatchNorm networks multiply every rounding error by about 1.2 a layer: 1e-7 is 0.04 at EfficientNetB7's end.
    """
    names = {layer.name for layer in base.layers}
    for layer in batch_norms(base):
        if re.sub("(project_bn|project_BN|3_bn)$", "add", layer.name) in names - {layer.name}:
            layer.gamma.assign(0.02 * layer.gamma)
