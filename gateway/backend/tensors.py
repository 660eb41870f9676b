"""Reads values from TensorProto messages, without numpy.

TensorFlow Serving writes typed fields; other servers with the same API write numbers as raw little-endian bytes in
`tensor_content`. Both are read. No server is known to send strings in a raw form.
"""

import math
import struct
from typing import Any, TypeVar

from contract.serving_messages import DataType
from gateway.errors import ModelServerFailedError

_Value = TypeVar("_Value")

_FLOAT, _BOOL, _STRING = (DataType[name].number for name in ("DT_FLOAT", "DT_BOOL", "DT_STRING"))


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a tensor."""
    return tuple([dim.size for dim in tensor.tensor_shape.dim[:]])  # a copy of the list is faster to iterate


def read_floats(tensor: Any, shape: tuple[int, ...] | None = None) -> list[float]:
    """Return the elements of a float32 tensor of any shape, in row-major order; `shape` is its shape, if known.

    Raises:
        ModelServerFailedError: the tensor has another type, or not as many elements as its shape declares.
    """
    count = _count_elements(tensor, _FLOAT, shape)
    if tensor.tensor_content:
        return list(struct.unpack(f"<{count}f", _raw(tensor, 4 * count)))
    return _filled(tensor.float_val[:], count, 0.0)


def read_bools(tensor: Any, shape: tuple[int, ...] | None = None) -> list[bool]:
    """Return the elements of a bool tensor of any shape, in row-major order; `shape` is its shape, if known.

    Raises:
        ModelServerFailedError: the tensor has another type, or not as many elements as its shape declares.
    """
    count = _count_elements(tensor, _BOOL, shape)
    if tensor.tensor_content:
        return [byte != 0 for byte in _raw(tensor, count)]
    return _filled(tensor.bool_val[:], count, False)


def read_strings(tensor: Any) -> list[bytes]:
    """Return the elements of a string tensor of any shape, in row-major order.

    Raises:
        ModelServerFailedError: the tensor has another type, or not as many elements as its shape declares.
    """
    return _filled(tensor.string_val[:], _count_elements(tensor, _STRING), b"")


def _count_elements(tensor: Any, dtype: int, shape: tuple[int, ...] | None = None) -> int:
    if tensor.dtype != dtype:
        raise ModelServerFailedError("The model server's response has values of an unexpected type.")
    return math.prod(shape_of(tensor) if shape is None else shape)


def _raw(tensor: Any, length: int) -> bytes:
    content: bytes = tensor.tensor_content
    if len(content) != length:
        raise ModelServerFailedError("The model server's response has fewer or more values than its shape declares.")
    return content


def _filled(values: list[_Value], count: int, empty: _Value) -> list[_Value]:
    """Return `count` values; TensorFlow may omit repetitions of the last one."""
    if len(values) > count:
        raise ModelServerFailedError("The model server's response has more values than its shape declares.")
    return values if len(values) == count else values + [values[-1] if values else empty] * (count - len(values))
