"""A graph that runs in TensorFlow's library without TensorFlow's Python."""

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from contract.serving_messages import ConfigProto, DataType
from modelserver.engines.graphs.errors import sentence_of
from modelserver.engines.graphs.library import STRING_BYTES, Output, tensorflow_library
from modelserver.engines.graphs.no_rows import run_rows
from modelserver.engines.graphs.signatures import SignatureGraph
from modelserver.errors import BadInputError, GraphError, LoadError, OutOfResourcesError, ServingError
from modelserver.model.tensors import Array

_OK, _INVALID_ARGUMENT, _RESOURCE_EXHAUSTED = 0, 3, 8

_STRING = DataType["DT_STRING"].number
_DTYPES = {
    DataType[name].number: np.dtype(dtype)
    for name, dtype in {"DT_FLOAT": np.float32, "DT_UINT8": np.uint8, "DT_BOOL": np.bool_}.items()
}
_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}

_CALLERS_THREAD = -1
"""Of `inter_op_parallelism_threads`: no operation is handed to another thread."""


class GraphSession:
    """A session on the graph of one signature; safe to use from several threads at once.

    Operations run one after the other in the thread that calls; `threads` threads share one operation. Inputs may be
    strings (an object array of `bytes`), and inputs and outputs float32, uint8 and bool. To `optimize` the graph takes
    TensorFlow a second at the first run, which a graph without a network does not repay.

    Raises:
        LoadError: TensorFlow does not take the graph, or the signature is not in it.
    """

    def __init__(self, graph: SignatureGraph, threads: int = 1, *, optimize: bool = True) -> None:
        self._library = tensorflow_library()
        with ExitStack() as stack:
            status = _Status(self._library, stack)
            self._graph = self._library.TF_NewGraph()
            weakref.finalize(self, self._library.TF_DeleteGraph, self._graph)
            self._import(graph.definition, status, stack)
            self._session = self._open(threads, optimize, status, stack)
            weakref.finalize(self, _close, self._library, self._session)
        self._inputs = {name: self._place(tensor) for name, tensor in graph.inputs.items()}
        self._outputs = {name: self._place(tensor) for name, tensor in graph.outputs.items()}
        self._output_shapes = graph.output_shapes

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Return the named outputs for these inputs; inputs of no rows have outputs of no rows.

        Raises:
            BadInputError: an operation refuses the inputs.
            OutOfResourcesError: an operation could not get its memory.
            GraphError: an operation failed for another reason.
        """
        names = list(inputs)
        return run_rows(
            lambda arrays: self._run(dict(zip(names, arrays, strict=True)), outputs),
            list(inputs.values()),
            self._output_shapes,
        )

    def _run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        library = self._library
        with ExitStack() as stack:
            status = _Status(library, stack)
            given = [self._tensor(array, stack) for array in inputs.values()]
            places = (Output * len(inputs))(*(self._inputs[name] for name in inputs))
            wanted = (Output * len(outputs))(*(self._outputs[name] for name in outputs))
            values = (ctypes.c_void_p * len(given))(*given)
            results = (ctypes.c_void_p * len(outputs))()
            library.TF_SessionRun(
                *(self._session, None, places, values, len(given)),
                *(wanted, results, len(outputs), None, 0, None, status.pointer),
            )
            if status.code != _OK:
                raise _error(status)
            for result in results:
                stack.callback(library.TF_DeleteTensor, result)
            return {name: self._array(result) for name, result in zip(outputs, results, strict=True)}

    def _import(self, definition: bytes, status: "_Status", stack: ExitStack) -> None:
        buffer = self._library.TF_NewBufferFromString(definition, len(definition))
        stack.callback(self._library.TF_DeleteBuffer, buffer)
        options = self._library.TF_NewImportGraphDefOptions()
        stack.callback(self._library.TF_DeleteImportGraphDefOptions, options)
        self._library.TF_GraphImportGraphDef(self._graph, buffer, options, status.pointer)
        status.check_loaded()

    def _open(self, threads: int, optimize: bool, status: "_Status", stack: ExitStack) -> Any:
        config = ConfigProto(
            intra_op_parallelism_threads=threads,
            inter_op_parallelism_threads=_CALLERS_THREAD,
            graph_options={"rewrite_options": {"disable_meta_optimizer": not optimize}},
        ).SerializeToString()
        options = self._library.TF_NewSessionOptions()
        stack.callback(self._library.TF_DeleteSessionOptions, options)
        self._library.TF_SetConfig(options, config, len(config), status.pointer)
        status.check_loaded()
        session = self._library.TF_NewSession(self._graph, options, status.pointer)
        status.check_loaded()
        return session

    def _place(self, tensor: str) -> Output:
        node, _, index = tensor.partition(":")
        operation = self._library.TF_GraphOperationByName(self._graph, node.encode())
        if not operation:
            raise LoadError(f"The graph has no operation {node}, which its signature names.")
        return Output(operation, int(index or 0))

    def _tensor(self, array: Array, stack: ExitStack) -> Any:
        """Return a TF_Tensor that lives as long as the stack; strings are looked at where they are."""
        library = self._library
        is_string = array.dtype == np.object_
        number = _STRING if is_string else _NUMBERS[array.dtype]
        size = array.size * STRING_BYTES if is_string else array.nbytes
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = library.TF_AllocateTensor(number, shape, array.ndim, size)
        stack.callback(library.TF_DeleteTensor, tensor)
        data = library.TF_TensorData(tensor)
        if is_string:
            for position, value in enumerate(array.flat):
                library.TF_StringInit(data + position * STRING_BYTES)
                library.TF_StringAssignView(data + position * STRING_BYTES, value, len(value))
        elif size:
            whole = np.ascontiguousarray(array)  # has a name, or the copy would be gone before it is read
            ctypes.memmove(data, whole.ctypes.data, size)
        return tensor

    def _array(self, tensor: Any) -> Array:
        library = self._library
        shape = [library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor))]
        array = np.empty(shape, _DTYPES[library.TF_TensorType(tensor)])
        if array.nbytes:
            ctypes.memmove(array.ctypes.data, library.TF_TensorData(tensor), array.nbytes)
        return array


class _Status:
    """A TF_Status that lives as long as the stack."""

    def __init__(self, library: Any, stack: ExitStack) -> None:
        self._library = library
        self.pointer = library.TF_NewStatus()
        stack.callback(library.TF_DeleteStatus, self.pointer)

    @property
    def code(self) -> int:
        return int(self._library.TF_GetCode(self.pointer))

    @property
    def text(self) -> str:
        message: bytes = self._library.TF_Message(self.pointer)
        return message.decode(errors="replace")

    def check_loaded(self) -> None:
        if self.code != _OK:
            raise LoadError(sentence_of(self.text))


def _close(library: Any, session: Any) -> None:
    with ExitStack() as stack:
        library.TF_DeleteSession(session, _Status(library, stack).pointer)


def _error(status: _Status) -> ServingError:
    kinds = {_INVALID_ARGUMENT: BadInputError, _RESOURCE_EXHAUSTED: OutOfResourcesError}
    return kinds.get(status.code, GraphError)(sentence_of(status.text))
