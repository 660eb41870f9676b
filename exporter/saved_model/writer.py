"""Writing a SavedModel, and asking a written one in the two ways in which it will be loaded."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from contract.manifest import ServedGraph, Signature, TensorSpec
from contract.versions import LABELS, WARMUP
from exporter.errors import ParityError
from exporter.saved_model.full_disk import full_disk_as_os_error
from exporter.saved_model.network import ServedNetwork, make_served_network
from exporter.saved_model.signatures import PIXELS_OF_IMAGE, SERVING_DEFAULT, ServingSignatures
from exporter.saved_model.single_images import Answer, ask_single_pictures
from exporter.saved_model.warmup import read_warmup, string_array
from trainer.runs.trained_model import read_run

_BATCH = 8

Inputs = Mapping[str, tuple[str, npt.NDArray[Any]]]
"""What to ask each signature: the name of its input, and a value; N values where it takes one picture at a time."""

Outputs = dict[str, Answer]
"""What each signature answered, by output name; of one that takes one picture at a time, its N answers as rows."""


@dataclass(frozen=True)
class Written:
    """What a written SavedModel offers, and what was done to the network in it."""

    signatures: dict[str, Signature]
    served_graph: ServedGraph


def write_saved_model(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool = True) -> Written:
    """Write the run's model with its serving signatures to `target`; `fold` its BatchNorm layers or not.

    Call it in a fresh process: TensorFlow numbers its functions per process, and only the first export of a
    process has the same bytes every time.
    """
    run = read_run(run_folder)
    network = make_served_network(run.load_model(), image_input, fold=fold)
    signatures = save(network, run.record.labels, image_input, target)
    return Written(signatures, network.description)


def save(
    network: ServedNetwork, labels: tuple[str, ...], image_input: ImageInput, target: Path
) -> dict[str, Signature]:
    """Write a SavedModel of a network with the four signatures to `target`, and describe them."""
    target.mkdir(parents=True, exist_ok=True)
    # not where temporary files lie: whoever is killed would leave it there, and another disk could be the full one
    with full_disk_as_os_error(), tempfile.TemporaryDirectory(prefix=".labels-", dir=target) as folder:
        labels_file = Path(folder) / Path(LABELS).name
        labels_file.write_text("".join(f"{label}\n" for label in labels))
        root = tf.Module()
        root.labels = tf.saved_model.Asset(str(labels_file))
        root.model_variables = network.variables
        signatures = ServingSignatures(network.answer, labels, image_input, root.labels).concrete()
        # the gradients of EfficientNet's swish would take three quarters of the time, and nobody trains this graph
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(root, str(target), signatures=signatures, options=options)
    return {name: _describe(function) for name, function in signatures.items()}


@dataclass(frozen=True)
class Answered:
    """What a version said of N pictures: `probabilities` float32 [N, C] and N `labels`, empty where it refused."""

    probabilities: npt.NDArray[np.float32]
    labels: tuple[str, ...]


class LoadedVersion:
    """A SavedModel as `tf.saved_model.load` loads it."""

    def __init__(self, folder: Path) -> None:
        self._loaded: Any = tf.saved_model.load(str(folder))  # kept: its signatures need what it owns

    def ask(self, inputs: Inputs) -> Outputs:
        """Ask each signature in `inputs`."""
        return {name: self._ask(name, key, value) for name, (key, value) in inputs.items()}

    def _ask(self, name: str, key: str, value: npt.NDArray[Any]) -> Answer:
        signature = self._loaded.signatures[name]

        def call(given: Any) -> Answer:
            return {output: tensor.numpy() for output, tensor in signature(**{key: tf.constant(given)}).items()}

        return ask_single_pictures(call, value) if name == PIXELS_OF_IMAGE else call(value)

    def answer(self, pictures: Iterable[bytes], on_answered: Callable[[int], None] = lambda _: None) -> Answered:
        """Answer encoded pictures, eight at a time; `on_answered` hears how many after each time."""
        probabilities: list[npt.NDArray[np.float32]] = []
        labels: list[str] = []
        remaining = iter(pictures)
        while batch := list(islice(remaining, _BATCH)):
            (answer,) = self.ask({SERVING_DEFAULT: ("image_bytes", string_array(batch))}).values()
            probabilities.append(answer["probabilities"])
            labels += [label.decode() for label in answer["label"]]
            on_answered(len(batch))
        return Answered(np.concatenate(probabilities), tuple(labels))


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
                _check_fits(definitions, name, key)
                _ask(session, definitions[name], key, value)
            return {name: _ask_signature(session, definitions[name], name, *given) for name, given in inputs.items()}
        except tf.errors.OpError as error:
            reason = error.message.split("\n", maxsplit=1)[0]
            raise ParityError(
                f"Loaded as TensorFlow Serving does, the model fails ({reason}); nothing was published."
            ) from None  # TensorFlow's own error does not survive the way back from another process


def _check_fits(definitions: Any, name: str, key: str) -> None:
    if name not in definitions or key not in definitions[name].inputs:
        raise ParityError(f"A warmup record asks {name} about {key}, which the model lacks; nothing was published.")


def _ask_signature(session: Any, definition: Any, name: str, key: str, value: npt.NDArray[Any]) -> Answer:
    if name == PIXELS_OF_IMAGE:
        return ask_single_pictures(lambda picture: _ask(session, definition, key, picture), value)
    return _ask(session, definition, key, value)


def _ask(session: Any, definition: Any, key: str, value: Any) -> Answer:
    fetches = {output: tensor.name for output, tensor in definition.outputs.items()}
    answers: Answer = session.run(fetches, {definition.inputs[key].name: value})
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
