"""Converts output tensors from TensorProto to the protocol's JSON and binary data.

TensorFlow Serving responds with typed fields; other servers with its API may send raw numbers in `tensor_content`.
Both are read.
"""

import math
import struct
from typing import Any

from gateway.backend.datatypes import BY_NUMBER, Datatype
from gateway.backend.tensors import shape_of
from gateway.errors import BadTensorError, ModelServerFailedError

_LENGTH_PREFIX = struct.Struct("<I")
_MAX_BYTES = 2**31  # the limit of a message; a tensor of one repeated value could claim any shape


def write_output(name: str, tensor: Any, *, binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return the JSON object of an output and its binary data, which is empty unless `binary`.

    Raises:
        BadTensorError: the output has a type that the protocol lacks, or bytes or numbers that JSON cannot represent.
        ModelServerFailedError: the tensor's values do not fit its shape.
    """
    datatype = BY_NUMBER.get(tensor.dtype)
    if datatype is None:
        raise BadTensorError(f"The output {name} has a type that the Open Inference Protocol does not have.")
    written = {"name": name, "datatype": datatype.name, "shape": shape_of(tensor)}
    if not binary:
        return {**written, "data": _json_values(name, tensor, datatype)}, b""
    raw = _join(_strings(tensor)) if datatype.name == "BYTES" else _raw_bytes(tensor, datatype)
    return {**written, "parameters": {"binary_data_size": len(raw)}}, raw


def _json_values(name: str, tensor: Any, datatype: Datatype) -> list[Any]:
    if datatype.name != "BYTES":
        values: list[Any] = datatype.unpack(_raw_bytes(tensor, datatype))
        if not all(map(math.isfinite, values)):  # no parser but Python's takes NaN and Infinity
            raise BadTensorError(
                f"The output {name} has numbers that are not finite, which JSON does not have; request it with "
                "binary_data set to true."
            )
        return values
    try:
        return [element.decode() for element in _strings(tensor)]
    except UnicodeDecodeError as error:
        raise BadTensorError(
            f"The output {name} holds bytes that are not UTF-8; request it with binary_data set to true."
        ) from error


def _join(elements: list[bytes]) -> bytes:
    return b"".join(part for element in elements for part in (_LENGTH_PREFIX.pack(len(element)), element))


def _strings(tensor: Any) -> list[bytes]:
    elements = list(tensor.string_val)
    if len(elements) != math.prod(shape_of(tensor)):
        raise _not_as_announced()
    return elements


def _raw_bytes(tensor: Any, datatype: Datatype) -> bytes:
    """Return the elements of a numeric tensor as raw bytes; TensorFlow may omit repetitions of the last one."""
    expected = math.prod(shape_of(tensor)) * datatype.size
    if tensor.tensor_content:
        raw: bytes = tensor.tensor_content
    else:
        try:
            raw = datatype.bits(getattr(tensor, datatype.field))
        except OverflowError as error:
            raise _not_as_announced() from error
        if len(raw) < expected <= _MAX_BYTES:
            last = raw[-datatype.size :] or bytes(datatype.size)
            raw += last * ((expected - len(raw)) // datatype.size)
    if len(raw) != expected:
        raise _not_as_announced()
    return raw


def _not_as_announced() -> ModelServerFailedError:
    return ModelServerFailedError("The values in the model server's response do not fit their declared shape.")
