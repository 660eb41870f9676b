"""One version of a model in memory."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from contract.serving_messages import SignatureDefMap
from modelserver.errors import (
    BadInputError,
    GraphError,
    LoadError,
    ModelServerError,
    OutOfResourcesError,
    SignatureNotFoundError,
)
from modelserver.graph_calls import GraphCall
from modelserver.signatures import Signature
from modelserver.tensors import Array

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

# TensorFlow puts lines about graph nodes, and where in our files they were made, around the sentence of the operation;
# callers get the sentence alone.
_BEFORE_SENTENCE = re.compile(
    r"\A(Graph execution error:\s*)?"
    r"(Detected at node .*\n(<stack traces unavailable>\n|[ \t].*\n|\n)*)*"
    r"(\d+ root error\(s\) found\.\s*\(0\) [A-Z_]+:\s*)?"
    r"(\{\{function_node [^}]*\}\}\s*)?"
)
_AFTER_SENTENCE = re.compile(r" \[Op:\w+\].*\Z")


class LoadedModel:
    """A SavedModel that answers `run`; safe to use from several threads at once."""

    def __init__(self, loaded: Any, definitions: Any, on_run: Callable[[float], None] = lambda _: None) -> None:
        self._loaded = loaded  # owns the variables
        self._on_run = on_run
        self.signature_definitions = definitions
        """All of the graph's signatures as a SignatureDefMap of `contract.serving_messages`."""
        self._signatures = {name: Signature(definitions.signature_def[name]) for name in loaded.signatures}
        self._functions = {
            name: _without_static_shapes(loaded.signatures[name], signature)
            for name, signature in self._signatures.items()
        }

    @classmethod
    def load(cls, folder: Path, on_run: Callable[[float], None] = lambda _: None) -> Self:
        """Load the SavedModel in `folder`; `on_run` gets the seconds of each run that goes well.

        Raises:
            LoadError: it cannot be read, or not by this TensorFlow.
        """
        try:
            return cls(tf.saved_model.load(str(folder), tags=[_TAG]), _read_definitions(folder), on_run)
        except (*_LOAD_FAILURES, ModelServerError) as error:
            raise LoadError(_sentence(str(error)) or type(error).__name__) from error

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Iterable[str] = ()
    ) -> dict[str, Array]:
        """Run one signature and return its outputs by name: all of them, or those in `output_filter`.

        Arrays have the dtypes of the signature; strings are object arrays of `bytes`.

        Raises:
            ModelServerError: see `check` and `call`.
        """
        return self.call(self.check(signature_name, inputs, output_filter))

    def check(self, signature_name: str, inputs: Mapping[str, Array], output_filter: Iterable[str] = ()) -> GraphCall:
        """Return what `call` needs to answer a request, with defaults filled in.

        Raises:
            SignatureNotFoundError: the model has no such signature.
            BadInputError: the inputs or the filter do not fit the signature.
        """
        if signature_name not in self._signatures:
            raise SignatureNotFoundError(f'Serving signature key "{signature_name}" not found.')
        signature = self._signatures[signature_name]
        arguments = tuple(signature.arguments(inputs))
        outputs = tuple(signature.wanted_outputs(output_filter))
        return GraphCall(signature_name, arguments, outputs, filtered=len(outputs) < len(signature.outputs))

    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name.

        Raises:
            BadInputError: an operation refuses the inputs.
            OutOfResourcesError: an operation could not get its memory.
            GraphError: an operation failed for another reason.
        """
        dtypes = [info.dtype for info in self._signatures[call.signature_name].inputs.values()]
        started = time.perf_counter()
        try:
            tensors = [tf.constant(array, dtype) for array, dtype in zip(call.arguments, dtypes, strict=True)]
            outputs = self._functions[call.signature_name](*tensors)
        except tf.errors.OpError as error:
            raise _graph_error(error) from error
        except UnicodeDecodeError as error:  # of TensorFlow's own message, which quotes what was sent
            raise BadInputError(_sentence(error.object.decode("latin-1"))) from error
        self._on_run(time.perf_counter() - started)
        return {name: _as_array(outputs[name]) for name in call.outputs}


def _without_static_shapes(function: Any, signature: Signature) -> Callable[..., dict[str, Any]]:
    """Return `function` with positional arguments of any shape.

    TensorFlow's own call would refuse shapes that TensorFlow Serving lets through to the operations.
    """
    specs = [tf.TensorSpec(None, tf.as_dtype(info.dtype)) for info in signature.inputs.values()]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def relaxed(*tensors: Any) -> Any:
        return function(**dict(zip(signature.inputs, tensors, strict=True)))

    concrete: Callable[..., dict[str, Any]] = relaxed.get_concrete_function()
    return concrete


def _read_definitions(folder: Path) -> Any:
    saved_model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = SignatureDefMap()
    for graph in saved_model.meta_graphs:
        if _TAG in graph.meta_info_def.tags:
            for name, definition in graph.signature_def.items():  # the same message, of another descriptor pool
                definitions.signature_def[name].MergeFromString(definition.SerializeToString())
    return definitions


def _as_array(tensor: Any) -> Array:
    return np.asarray(tensor.numpy(), tensor.dtype.as_numpy_dtype)  # a scalar's numpy() is not an array


def _graph_error(error: Any) -> ModelServerError:
    text = _sentence(error.message)
    if isinstance(error, tf.errors.InvalidArgumentError):
        return BadInputError(text)
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return OutOfResourcesError(text)
    return GraphError(text)


def _sentence(message: str) -> str:
    text = _BEFORE_SENTENCE.sub("", message.partition("[[{{")[0]).strip()
    return _AFTER_SENTENCE.sub("", text.partition("\n")[0])
