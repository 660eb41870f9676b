"""Writing a SavedModel, and asking a written one in the two ways in which it will be loaded."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tensorflow as tf

from contract.manifest import Signature, TensorSpec
from contract.versions import LABELS, WARMUP
from exporter.errors import ParityError
from exporter.serving_signature import ServingSignatures
from exporter.warmup import read_warmup
from trainer.trained_model import read_run

Inputs = Mapping[str, tuple[str, npt.NDArray[Any]]]
"""What to ask each signature: the name of its input, and a value."""

Outputs = dict[str, dict[str, npt.NDArray[Any]]]
"""What each signature answered, by output name."""


@dataclass(frozen=True)
class Written:
    """What a written SavedModel offers."""

    signatures: dict[str, Signature]


def write_saved_model(run_folder: Path, target: Path) -> Written:
    """Write the run's model with its serving signatures to `target`.

    Call it in a fresh process: TensorFlow numbers its functions per process, and only the first export of a
    process has the same bytes every time.
    """
    run = read_run(run_folder)
    model = run.load_model()
    with tempfile.TemporaryDirectory(prefix="graft-export-") as folder:
        labels_file = Path(folder) / Path(LABELS).name
        labels_file.write_text("".join(f"{label}\n" for label in run.record.labels))
        root = tf.Module()
        root.labels = tf.saved_model.Asset(str(labels_file))
        # Only the bare variables: a Keras object, or a list of Keras variables, saves and loads in Python, and in
        # TensorFlow Serving every request fails with "Could not find variable".
        root.model_variables = [weight.value for weight in model.weights]
        signatures = ServingSignatures(model, run.record.labels, run.record.image_input, root.labels).concrete()
        tf.saved_model.save(root, str(target), signatures=signatures)
    return Written({name: _describe(function) for name, function in signatures.items()})


def ask_as_python_loads(folder: Path, inputs: Inputs) -> Outputs:
    """Load with `tf.saved_model.load` and ask each signature in `inputs`."""
    signatures = tf.saved_model.load(str(folder)).signatures
    return {
        name: {key: value.numpy() for key, value in signatures[name](**{key: tf.constant(value)}).items()}
        for name, (key, value) in inputs.items()
    }


def ask_as_serving_loads(folder: Path, inputs: Inputs) -> Outputs:
    """Load as TensorFlow Serving does, through the graph's own restore operation, and ask each signature.

    The warmup records of the folder are replayed first, as there. Call it in a fresh process, where nothing that
    Python remembers of the model can help.

    Raises:
        ParityError: it does not load, or fails to answer, in this way.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the loader is deprecated; Serving's is the same
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        try:
            definitions = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder)).signature_def
            for name, key, value in read_warmup(folder / WARMUP):
                _ask(session, definitions[name], key, value)
            return {name: _ask(session, definitions[name], key, value) for name, (key, value) in inputs.items()}
        except tf.errors.OpError as error:
            reason = error.message.split("\n", maxsplit=1)[0]
            raise ParityError(
                f"Loaded as TensorFlow Serving does, the model fails ({reason}); nothing was published."
            ) from None  # TensorFlow's own error does not survive the way back from another process


def _ask(session: Any, definition: Any, key: str, value: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    fetches = {output: tensor.name for output, tensor in definition.outputs.items()}
    answers: dict[str, npt.NDArray[Any]] = session.run(fetches, {definition.inputs[key].name: value})
    return answers


def _describe(function: Any) -> Signature:
    (inputs,) = function.structured_input_signature[0] or (function.structured_input_signature[1],)
    specs = [inputs] if isinstance(inputs, tf.TensorSpec) else list(inputs.values())
    return Signature(
        inputs={spec.name: _spec(spec) for spec in specs},
        outputs={name: _spec(tensor) for name, tensor in function.structured_outputs.items()},
    )


def _spec(tensor: Any) -> TensorSpec:
    return TensorSpec(dtype=tensor.dtype.name, shape=tuple(tensor.shape.as_list()))
