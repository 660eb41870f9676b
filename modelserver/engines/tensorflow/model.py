"""One version of a model, run by TensorFlow."""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from contract.signatures import IMAGE_INPUT, SERVING_DEFAULT, SERVING_PIXELS
from contract.versions import MANIFEST
from modelserver.engines.graphs.costly_images import without_costly_images
from modelserver.engines.graphs.errors import sentence_of
from modelserver.engines.graphs.image_decoder import GraphImageDecoder
from modelserver.engines.graphs.no_rows import run_rows
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.tensorflow.internals import CancellableFunction, CancellationManager
from modelserver.errors import (
    BadInputError,
    GraphError,
    LoadError,
    OutOfResourcesError,
    ServingError,
)
from modelserver.model.calls import GraphCall, joined
from modelserver.model.cancellation import Tokens, check_wanted, is_wanted
from modelserver.model.decoded_images import RowDecoder
from modelserver.model.signatures import ServedSignature
from modelserver.model.tensors import Array
from modelserver.model.version import Model

logger = logging.getLogger(__name__)

_TAG = "serve"
_ROW_BY_ROW = (SERVING_DEFAULT, SERVING_PIXELS)
"""Signatures of versions that `graft export` wrote."""
_MOST_ROWS = 8
"""At a time. MobileNetV2 at 224 pixels took 10.2 ms of processor time for a row of 8, and 11.9 ms for one of 32."""

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
    """A SavedModel as TensorFlow runs it.

    The signatures `by_rows` have outputs whose rows depend on one row of the inputs each. Many rows are run in pieces
    there, for memory: TensorFlow keeps what its largest run took.
    """

    engine = "TensorFlow"
    gains_from_batches = True

    def __init__(
        self,
        loaded: Any,
        definitions: Any,
        on_run: Callable[[float], None] = lambda _: None,
        by_rows: Collection[str] = (),
        image_decoder: RowDecoder | None = None,
    ) -> None:
        self._loaded = loaded  # owns the variables
        self.image_decoder = image_decoder
        self._by_rows = by_rows
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
            ours = (folder / MANIFEST).is_file()
            loaded = tf.saved_model.load(str(folder), tags=[_TAG])
            graphs = SavedGraphs(folder)
            decoder = _image_decoder(folder, graphs) if ours else None
            return cls(loaded, graphs.definitions, on_run, _ROW_BY_ROW if ours else (), decoder)
        except (*_LOAD_FAILURES, ServingError) as error:
            raise LoadError(sentence_of(str(error)) or type(error).__name__) from error

    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name.

        Raises:
            CallCancelledError: nobody waits for them any more.
            BadInputError: an operation refuses the inputs.
            OutOfResourcesError: an operation could not get its memory.
            GraphError: an operation failed for another reason.
        """
        started = time.perf_counter()
        with call.traced(self.engine):
            outputs = joined([self._run_rows(piece) for piece in self._pieces(call)])
        self._on_run(time.perf_counter() - started)
        return outputs

    def _pieces(self, call: GraphCall) -> Sequence[GraphCall]:
        if call.signature_name not in self._by_rows or any(
            np.atleast_1d(each).shape[0] <= _MOST_ROWS for each in call.arguments
        ):
            return [call]
        return call.pieces(_MOST_ROWS)

    def _run_rows(self, call: GraphCall) -> dict[str, Array]:
        shapes = self.signatures[call.signature_name].output_shapes
        return run_rows(lambda arguments: self._run(call, arguments), call.arguments, shapes)

    def _run(self, call: GraphCall, arguments: Sequence[Array]) -> dict[str, Array]:
        check_wanted(call.tokens)
        inputs = self.signatures[call.signature_name].inputs
        if IMAGE_INPUT in inputs:
            arguments = [
                without_costly_images(array) if name == IMAGE_INPUT else array
                for name, array in zip(inputs, arguments, strict=True)
            ]
        try:
            tensors = [tf.constant(array, info.dtype) for array, info in zip(arguments, inputs.values(), strict=True)]
            with _cancelled_when_unwanted(call.tokens) as cancellation:
                outputs = self._functions[call.signature_name](tensors, cancellation)
        except tf.errors.OpError as error:
            check_wanted(call.tokens)
            raise _graph_error(error) from error
        except UnicodeDecodeError as error:  # of TensorFlow's own message, which quotes what was sent
            raise BadInputError(sentence_of(error.object.decode("latin-1"))) from error
        return {name: _as_array(outputs[name]) for name in call.outputs}


def _image_decoder(folder: Path, graphs: SavedGraphs) -> RowDecoder | None:
    """Return what decodes the images of a version that `graft export` wrote, None for one that was written before."""
    try:
        return GraphImageDecoder(folder, graphs)
    except (OSError, LoadError) as error:
        logger.info("%s: large images are not decoded apart from others: %s", folder, error)
        return None


@contextlib.contextmanager
def _cancelled_when_unwanted(tokens: Tokens) -> Iterator[CancellationManager]:
    """Give what cancels a run as soon as the last of the tokens is cancelled."""
    cancellation = CancellationManager()

    def look() -> None:
        if not is_wanted(tokens):
            cancellation.start_cancel()

    for token in tokens:
        token.on_cancel(look)
    try:
        yield cancellation
    finally:
        for token in tokens:
            token.forget(look)


def _without_static_shapes(function: Any, signature: ServedSignature) -> CancellableFunction:
    """Return `function` with positional arguments of any shape.

    TensorFlow's own call would refuse shapes that TensorFlow Serving lets through to the operations.
    """
    specs = [tf.TensorSpec(None, tf.as_dtype(info.dtype)) for info in signature.inputs.values()]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def relaxed(*tensors: Any) -> Any:
        return function(**dict(zip(signature.inputs, tensors, strict=True)))

    return CancellableFunction(relaxed.get_concrete_function())


def _as_array(tensor: Any) -> Array:
    return np.asarray(tensor.numpy(), tensor.dtype.as_numpy_dtype)  # a scalar's numpy() is not an array


def _graph_error(error: Any) -> ServingError:
    text = sentence_of(error.message)
    if isinstance(error, tf.errors.InvalidArgumentError):
        return BadInputError(text)
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return OutOfResourcesError(text)
    return GraphError(text)
