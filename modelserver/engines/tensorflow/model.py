"""One version of a model, run by TensorFlow."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from contract.signatures import IMAGE_INPUT
from modelserver.engines.graphs.costly_images import without_costly_images
from modelserver.engines.graphs.errors import sentence_of
from modelserver.engines.graphs.no_rows import run_rows
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.errors import (
    BadInputError,
    GraphError,
    LoadError,
    OutOfResourcesError,
    ServingError,
)
from modelserver.model.calls import GraphCall
from modelserver.model.signatures import ServedSignature
from modelserver.model.tensors import Array
from modelserver.model.version import Model

_TAG = "serve"

# What TensorFlow was seen to raise, or may, for folders that are damaged, incomplete or of another version.
_LOAD_FAILURES = (
    tf.errors.OpError,
    DecodeError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
)


class TensorFlowModel(Model):
    """A SavedModel as TensorFlow runs it."""

    engine = "TensorFlow"
    gains_from_batches = True

    def __init__(self, loaded: Any, definitions: Any, on_run: Callable[[float], None] = lambda _: None) -> None:
        self._loaded = loaded  # owns the variables
        self._on_run = on_run
        super().__init__(definitions, loaded.signatures)
        self._functions = {
            name: _without_static_shapes(loaded.signatures[name], signature)
            for name, signature in self.signatures.items()
        }

    @classmethod
    def load(cls, folder: Path, on_run: Callable[[float], None] = lambda _: None) -> Self:
        """Load the SavedModel in `folder`; `on_run` gets the seconds of each run that goes well.

        Raises:
            LoadError: it cannot be read, or not by this TensorFlow.
        """
        try:
            return cls(tf.saved_model.load(str(folder), tags=[_TAG]), SavedGraphs(folder).definitions, on_run)
        except (*_LOAD_FAILURES, ServingError) as error:
            raise LoadError(sentence_of(str(error)) or type(error).__name__) from error

    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name.

        Raises:
            BadInputError: an operation refuses the inputs.
            OutOfResourcesError: an operation could not get its memory.
            GraphError: an operation failed for another reason.
        """
        started = time.perf_counter()
        shapes = self.signatures[call.signature_name].output_shapes
        outputs = run_rows(lambda arguments: self._run(call, arguments), call.arguments, shapes)
        self._on_run(time.perf_counter() - started)
        return outputs

    def _run(self, call: GraphCall, arguments: Sequence[Array]) -> dict[str, Array]:
        inputs = self.signatures[call.signature_name].inputs
        if IMAGE_INPUT in inputs:
            arguments = [
                without_costly_images(array) if name == IMAGE_INPUT else array
                for name, array in zip(inputs, arguments, strict=True)
            ]
        try:
            tensors = [tf.constant(array, info.dtype) for array, info in zip(arguments, inputs.values(), strict=True)]
            outputs = self._functions[call.signature_name](*tensors)
        except tf.errors.OpError as error:
            raise _graph_error(error) from error
        except UnicodeDecodeError as error:  # of TensorFlow's own message, which quotes what was sent
            raise BadInputError(sentence_of(error.object.decode("latin-1"))) from error
        return {name: _as_array(outputs[name]) for name in call.outputs}


def _without_static_shapes(function: Any, signature: ServedSignature) -> Callable[..., dict[str, Any]]:
    """Return `function` with positional arguments of any shape.

    TensorFlow's own call would refuse shapes that TensorFlow Serving lets through to the operations.
    """
    specs = [tf.TensorSpec(None, tf.as_dtype(info.dtype)) for info in signature.inputs.values()]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def relaxed(*tensors: Any) -> Any:
        return function(**dict(zip(signature.inputs, tensors, strict=True)))

    concrete: Callable[..., dict[str, Any]] = relaxed.get_concrete_function()
    return concrete


def _as_array(tensor: Any) -> Array:
    return np.asarray(tensor.numpy(), tensor.dtype.as_numpy_dtype)  # a scalar's numpy() is not an array


def _graph_error(error: Any) -> ServingError:
    text = sentence_of(error.message)
    if isinstance(error, tf.errors.InvalidArgumentError):
        return BadInputError(text)
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return OutOfResourcesError(text)
    return GraphError(text)
