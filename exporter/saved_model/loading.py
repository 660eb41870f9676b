"""Running a written version, loaded in the two ways in which it is loaded: by Python, and by TensorFlow Serving."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.signatures import PIXELS_OF_IMAGE, SERVING_DEFAULT
from contract.versions import WARMUP
from exporter.errors import ParityError
from exporter.saved_model.single_images import Prediction, run_on_each
from exporter.saved_model.warmup import read_warmup, string_array

_BATCH = 8

Inputs = Mapping[str, tuple[str, npt.NDArray[Any]]]
"""What to run each signature on: the name of its input, and a value; N values if it takes one image at a time."""

Outputs = dict[str, Prediction]
"""What each signature answered, by output name; of one that takes one image at a time, its N answers as rows."""


@dataclass(frozen=True)
class PredictedImages:
    """What a version said of N images: `probabilities` float32 [N, C] and N `labels`, empty where it refused."""

    probabilities: npt.NDArray[np.float32]
    labels: tuple[str, ...]


class LoadedVersion:
    """A SavedModel as `tf.saved_model.load` loads it."""

    def __init__(self, folder: Path) -> None:
        self._loaded: Any = tf.saved_model.load(str(folder))  # kept: its signatures need what it owns

    def run(self, inputs: Inputs) -> Outputs:
        """Run each signature in `inputs`."""
        return {name: self._run(name, key, value) for name, (key, value) in inputs.items()}

    def _run(self, name: str, key: str, value: npt.NDArray[Any]) -> Prediction:
        signature = self._loaded.signatures[name]

        def call(given: Any) -> Prediction:
            return {output: tensor.numpy() for output, tensor in signature(**{key: tf.constant(given)}).items()}

        return run_on_each(call, value) if name == PIXELS_OF_IMAGE else call(value)

    def predict(self, images: Iterable[bytes], on_predicted: Callable[[int], None] = lambda _: None) -> PredictedImages:
        """Answer encoded images, eight at a time; `on_predicted` hears how many after each time."""
        probabilities: list[npt.NDArray[np.float32]] = []
        labels: list[str] = []
        remaining = iter(images)
        while batch := list(islice(remaining, _BATCH)):
            (prediction,) = self.run({SERVING_DEFAULT: ("image_bytes", string_array(batch))}).values()
            probabilities.append(prediction["probabilities"])
            labels += [label.decode() for label in prediction["label"]]
            on_predicted(len(batch))
        return PredictedImages(np.concatenate(probabilities), tuple(labels))


def run_as_serving_loads(folder: Path, inputs: Inputs) -> Outputs:
    """Load as TensorFlow Serving does, through the graph's own restore operation, and run each signature.

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
                _run(session, definitions[name], key, value)
            return {name: _run_signature(session, definitions[name], name, *given) for name, given in inputs.items()}
        except tf.errors.OpError as error:
            reason = error.message.split("\n", maxsplit=1)[0]
            raise ParityError(
                f"Loaded as TensorFlow Serving does, the model fails ({reason}); nothing was published."
            ) from None  # TensorFlow's own error does not survive the way back from another process


def _check_fits(definitions: Any, name: str, key: str) -> None:
    if name not in definitions or key not in definitions[name].inputs:
        raise ParityError(f"A warmup record asks {name} about {key}, which the model lacks; nothing was published.")


def _run_signature(session: Any, definition: Any, name: str, key: str, value: npt.NDArray[Any]) -> Prediction:
    if name == PIXELS_OF_IMAGE:
        return run_on_each(lambda image: _run(session, definition, key, image), value)
    return _run(session, definition, key, value)


def _run(session: Any, definition: Any, key: str, value: Any) -> Prediction:
    fetches = {output: tensor.name for output, tensor in definition.outputs.items()}
    predictions: Prediction = session.run(fetches, {definition.inputs[key].name: value})
    return predictions
