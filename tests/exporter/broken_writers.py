"""Writers of SavedModels with a fault, each a function that a fresh process can import by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from exporter.saved_model import Written
from exporter.serving_signature import ServingSignatures
from trainer.trained_model import read_run


def write_with_other_weights(run_folder: Path, target: Path) -> Written:
    """Write the run's model with the bias of one class a thousandth higher."""
    return _write(run_folder, target, change=_raise_a_bias)


def write_what_only_python_loads(run_folder: Path, target: Path) -> Written:
    """Write a module that holds the Keras model: Python loads it, and TensorFlow Serving does not."""
    return _write(run_folder, target, hold_model=True)


def _raise_a_bias(model: Any) -> None:
    kernel, bias = model.layers[-1].get_weights()
    bias[0] += 1e-3
    model.layers[-1].set_weights([kernel, bias])


def _write(
    run_folder: Path, target: Path, change: Callable[[Any], None] = lambda model: None, *, hold_model: bool = False
) -> Written:
    run = read_run(run_folder)
    model = run.load_model()
    change(model)
    labels_file = target / "labels.txt"
    labels_file.write_text("".join(f"{label}\n" for label in run.record.labels))
    root = tf.Module()
    root.labels = tf.saved_model.Asset(str(labels_file))
    if hold_model:
        root.model = model
    else:
        root.model_variables = [weight.value for weight in model.weights]
    signatures = ServingSignatures(model, run.record.labels, run.record.image_input, root.labels).concrete()
    tf.saved_model.save(root, str(target), signatures=signatures)
    return Written({})
