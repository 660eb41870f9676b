"""Writers of SavedModels with a fault, each a function that a fresh process can import by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph
from exporter.saved_model.network import make_served_network
from exporter.saved_model.signatures import ServingSignatures
from exporter.saved_model.writer import Written, save
from trainer.data.preprocessing import scale_pixels
from trainer.models.architectures import BASE
from trainer.runs.trained_model import read_run


def write_with_other_weights(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write the run's model with the bias of one class a thousandth higher."""
    model, labels = _read(run_folder)
    kernel, bias = model.layers[-1].get_weights()
    bias[0] += 1e-3
    model.layers[-1].set_weights([kernel, bias])
    network = make_served_network(model, image_input, fold=fold)
    return Written(save(network, labels, image_input, target), network.description)


def write_with_another_channel_order(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write the run's model as if it had been trained on blue, green and red."""
    return _write_with(run_folder, target, image_input.model_copy(update={"channel_order": "bgr"}), fold)


def write_without_antialias(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write the run's model behind a resize that takes single pixels."""
    return _write_with(run_folder, target, image_input.model_copy(update={"antialias": False}), fold)


def write_with_a_weight_off(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write the run's model with one weight of the first convolution a thousandth higher.

    Of the third channel, which more depends on than on others: a weight behind a unit that is off moves nothing at all.
    """
    model, labels = _read(run_folder)
    first = model.get_layer(BASE).get_layer("conv_1")
    kernel, bias = first.get_weights()
    kernel[1, 0, 0, 2] += 1e-3
    first.set_weights([kernel, bias])
    network = make_served_network(model, image_input, fold=fold)
    return Written(save(network, labels, image_input, target), network.description)


def write_what_predictions_one_alone_otherwise(
    run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool
) -> Written:
    """Write the run's model with answers that are off by a thousandth where an image comes alone."""
    model, labels = _read(run_folder)
    network = make_served_network(model, image_input, fold=fold)

    def predict(pixels: tf.Tensor) -> tf.Tensor:
        alone = tf.cast(tf.shape(pixels)[0] == 1, tf.float32)
        return network.predict(pixels) + alone * tf.constant([1e-3, -1e-3, 0.0])

    changed = replace(network, predict=predict)
    return Written(save(changed, labels, image_input, target), network.description)


def write_what_only_python_loads(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write a module that holds the Keras model: Python loads it, and TensorFlow Serving does not."""
    model, labels = _read(run_folder)
    root = tf.Module()
    root.model = model
    return _save_module(root, lambda pixels: model(scale_pixels(pixels, image_input)), labels, image_input, target)


def write_with_a_newer_operation(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> Written:
    """Write a graph that uses an operation which came to TensorFlow after 2.18."""
    model, labels = _read(run_folder)

    def predict(pixels: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.raw_ops.DecodeWebP(contents="", channels=3)]):
            return model(scale_pixels(pixels, image_input))

    root = tf.Module()
    root.variables_of_model = [weight.value for weight in model.weights]
    return _save_module(root, predict, labels, image_input, target)


def _write_with(run_folder: Path, target: Path, image_input: ImageInput, fold: bool) -> Written:
    model, labels = _read(run_folder)
    network = make_served_network(model, image_input, fold=fold)
    return Written(save(network, labels, image_input, target), network.description)


def _read(run_folder: Path) -> tuple[Any, tuple[str, ...]]:
    run = read_run(run_folder)
    return run.load_model(), run.record.labels


def _save_module(
    root: tf.Module,
    prediction: Callable[[tf.Tensor], tf.Tensor],
    labels: tuple[str, ...],
    image_input: ImageInput,
    target: Path,
) -> Written:
    labels_file = target / "labels.txt"
    labels_file.write_text("".join(f"{label}\n" for label in labels))
    root.labels = tf.saved_model.Asset(str(labels_file))
    signatures = ServingSignatures(prediction, labels, image_input, root.labels).concrete()
    tf.saved_model.save(root, str(target), signatures=signatures)
    return Written({}, ServedGraph(batch_norms_folded=0, batch_norms_kept=0, paddings_merged=0, frozen=False))
