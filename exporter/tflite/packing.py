"""TFLite files without what the converter repeats.

An int8 file of a small network is a quarter overhead: a zero point of 8 bytes for each channel of each tensor, all of
them zero, and names that list every operation that went into a fused one. FlatBuffers may refer to one vector from many
places, so that equal ones are written once: 13 % off the int8 MobileNetV2 0.35, and every reader stays content.
"""

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"


def unpack(content: bytes) -> Any:
    """Read a TFLite file into the schema's `ModelT`."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def pack(model: Any) -> bytes:
    """Write a `ModelT`, the same bytes each time."""
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def name_tensors(model: Any, input_name: str, output_name: str) -> None:
    """Give the input and the output their names; a fused operation keeps the first of its many."""
    (graph,) = model.subgraphs
    for tensor in graph.tensors:
        tensor.name = tensor.name.split(b";")[0]
    graph.tensors[graph.inputs[0]].name = input_name.encode()
    graph.tensors[graph.outputs[0]].name = output_name.encode()


def add_signature(model: Any, name: str) -> None:
    """Add a signature of the graph's input and output, by the names of their tensors, to a `ModelT` without any."""
    (graph,) = model.subgraphs
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = name.encode(), 0
    signature.inputs = [_named(graph, index) for index in graph.inputs]
    signature.outputs = [_named(graph, index) for index in graph.outputs]
    model.signatureDefs = [signature]


def _named(graph: Any, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.tensors[index].name, index
    return entry


def take_bytes(model: Any) -> None:
    """Let a `ModelT` with a float32 input take the same values as uint8."""
    (graph,) = model.subgraphs
    (of_floats,) = graph.inputs
    taken, given = schema.TensorT(), graph.tensors[of_floats]
    taken.name, taken.shape, taken.type, taken.buffer = given.name, given.shape, schema.TensorType.UINT8, 0
    graph.tensors.append(taken)
    index = len(graph.tensors) - 1
    graph.inputs = [index]
    for signature in model.signatureDefs:
        signature.inputs[0].tensorIndex = index
    code = add_operator_code(model, schema.BuiltinOperator.CAST, version=1)
    graph.operators = [operator(code, index, of_floats), *graph.operators]


def add_operator_code(model: Any, builtin: int, version: int) -> int:
    """Add an operation to those that a `ModelT` uses, and return its index there."""
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = builtin
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def operator(code: int, taken: int, given: int) -> Any:
    """Return an operation without options, from one tensor to another."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, [taken], [given]
    return made


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]  # the library has no types
    """Writes equal vectors and equal strings once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - the library's name
        key = (x.dtype.str, np.ascontiguousarray(x).tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: N802
        key = ("name", s if isinstance(s, bytes) else s.encode(encoding, errors))
        if key not in self._written:
            self._written[key] = super().CreateString(s, encoding, errors)
        return self._written[key]
