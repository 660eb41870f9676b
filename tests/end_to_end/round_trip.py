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

from contract.image_input import ImageInput
from scripts.architecture_table import table_row
from tests.pictures import COLOURS, speckled
from trainer.architectures import ARCHITECTURES, fill_in, image_input_of, row_of
from trainer.base import batch_norms, block_cut_points, build_base, dropouts, tensor_before_last
from trainer.config import ModelSettings, read_config
from trainer.preprocessing import scale_pixels

Array = npt.NDArray[Any]
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "architectures.md"
SPREAD = 1e-3
"""How far apart the answers to different pictures must be for a comparison to mean anything."""

_GENTLE = keras.initializers.RandomNormal(stddev=0.01)
"""Of the head: rounding differs by up to 2e-5 between two ways to run the deepest networks under a larger one."""


@dataclass(frozen=True)
class Grown:
    """A base whose BatchNorm has seen pictures, under a head of three classes."""

    settings: ModelSettings
    unfreeze: int
    base: Any
    model: Any
    pixels: Array
    image_input: ImageInput

    def answers(self, model: Any) -> Array:
        """Ask a Keras model for the probabilities of the pictures, float32 [N, 3]."""
        answered: Array = model(scale_pixels(self.pixels, self.image_input), training=False).numpy()
        return answered

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
    """Build the base, let its BatchNorm follow drawn pictures, and put a head on it.

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
    pictures = keras.Input(base.input_shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D()(base(pictures))
    model = keras.Model(
        pictures, keras.layers.Dense(len(COLOURS), activation="softmax", kernel_initializer=_GENTLE)(pooled)
    )
    return Grown(config.model, config.phase_two.unfreeze[0], base, model, pixels, image_input)


def export(model: Any, image_input: ImageInput, folder: Path) -> None:
    """Write a SavedModel as the exporter does, with the signature for pixels alone."""

    def answer(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(scale_pixels(pixels, image_input), training=False)}

    spec = tf.TensorSpec([None, image_input.height, image_input.width, 3], tf.uint8, name="pixels")
    root = tf.Module()
    root.model_variables = [weight.value for weight in model.weights]
    tf.saved_model.save(
        root,
        str(folder),
        signatures={"serving_pixels": tf.function(answer).get_concrete_function(spec)},
        # the gradients of EfficientNet's swish would take three quarters of the time
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )


def ask_as_serving_loads(folder: Path, pixels: Array) -> Array:
    """Load the SavedModel through the graph's own restore operation, and ask it."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the loader is deprecated; Serving's is the same
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        signature = loaded.signature_def["serving_pixels"]
        answered: Array = session.run(
            signature.outputs["probabilities"].name, {signature.inputs["pixels"].name: pixels}
        )
        return answered


def assert_row_is_documented(grown: Grown) -> None:
    """Compare the row of docs/architectures.md with the code."""
    name = grown.settings.architecture
    assert table_row(name, ARCHITECTURES[name], grown.base) in DOCUMENTATION.read_text().splitlines()


def assert_splits(grown: Grown) -> None:
    """Cut the base where its default says, and compare the halves with the whole."""
    assert grown.unfreeze in block_cut_points(grown.base, row_of(grown.settings.architecture))
    crossing = tensor_before_last(grown.base, grown.unfreeze)
    front, tail = keras.Model(grown.base.input, crossing), keras.Model(crossing, grown.base.output)
    values = scale_pixels(grown.pixels, grown.image_input)
    whole = grown.base(values, training=False).numpy()
    np.testing.assert_allclose(tail(front(values, training=False), training=False).numpy(), whole, rtol=0, atol=1e-6)
    assert np.ptp(whole, axis=0).max() > SPREAD


def assert_round_trip(grown: Grown, folder: Path) -> None:
    """Train, save, reload and export the model; every one of them answers as the trained one."""
    before = [np.array(weight) for weight in grown.base.get_weights()]
    grown.train_one_step()
    first_to_move = len(grown.base.weights) - sum(len(layer.weights) for layer in grown.base.layers[-grown.unfreeze :])
    moved = [not np.array_equal(old, new) for old, new in zip(before, grown.base.get_weights(), strict=True)]
    assert not any(moved[:first_to_move])
    assert any(moved[first_to_move:])
    answers = grown.answers(grown.model)
    assert np.ptp(answers, axis=0).max() > SPREAD  # a model that always answers the same proves nothing
    grown.model.save(folder / "model.keras", include_optimizer=False)
    reloaded = keras.saving.load_model(folder / "model.keras", compile=False)
    np.testing.assert_allclose(grown.answers(reloaded), answers, rtol=0, atol=1e-6)
    export(reloaded, grown.image_input, folder / "exported")
    np.testing.assert_allclose(ask_as_serving_loads(folder / "exported", grown.pixels), answers, rtol=0, atol=1e-5)


def _draw(size: int) -> Array:
    colours = list(COLOURS.values())
    pictures = [speckled(colours[index % len(colours)], index, size, size) for index in range(6)]
    return np.stack([np.asarray(picture) for picture in pictures])


def _follow(base: Any, values: Any) -> None:
    """Let BatchNorm take over the statistics of the pictures, and give EfficientNet's input normalisation real ones."""
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
