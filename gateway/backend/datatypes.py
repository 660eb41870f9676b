"""The element types of the Open Inference Protocol and how each is stored in a TensorProto, without numpy.

Raw bytes are little-endian, row-major and dense, as in the protocol's binary data and in `tensor_content`.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from contract.serving_messages import DataType

Pack = Callable[[Sequence[Any]], bytes]
Unpack = Callable[[bytes], list[Any]]


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type.

    `name` is the protocol's, `dtype` TensorFlow's without its prefix, `number` that of the TensorProto. `field` is the
    typed field; `carrier` the array type code of one element's raw bits, empty for BYTES. `json_types` are the Python
    types of acceptable JSON values. `pack` turns such values into raw bytes (struct.error, OverflowError: out of range)
    and `unpack` turns those back.
    """

    name: str
    dtype: str
    number: int
    size: int
    field: str
    carrier: str
    json_types: frozenset[type]
    pack: Pack
    unpack: Unpack

    def bits(self, values: Iterable[Any]) -> bytes:
        """Return the raw bytes of elements taken from the typed field.

        Raises:
            OverflowError: a value does not fit the type.
        """
        return _little_endian(array(self.carrier, values))


def _little_endian(values: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _packing(code: str) -> tuple[Pack, Unpack]:
    """Return functions that pack numbers as elements of a `struct` code and unpack them; packing checks the range."""
    size = struct.calcsize(f"<{code}")

    def pack(values: Sequence[Any]) -> bytes:
        return struct.pack(f"<{len(values)}{code}", *values)

    def unpack(raw: bytes) -> list[Any]:
        return list(struct.unpack(f"<{len(raw) // size}{code}", raw))

    return pack, unpack


def _pack_bfloat16(values: Sequence[Any]) -> bytes:
    """Round float32 to the nearest bfloat16, ties to even: half of the dropped part is added before dropping it."""
    singles = struct.pack(f"<{len(values)}f", *values)
    return struct.pack(f"<{len(values)}H", *map(_round_single, struct.unpack(f"<{len(values)}I", singles)))


def _round_single(bits: int) -> int:
    magnitude = bits & 0x7FFFFFFF
    if magnitude > 0x7F800000:  # NaN, which rounding could turn into an infinity
        return bits >> 16 | 0x40
    if 0x7F7F7FFF < magnitude < 0x7F800000:
        raise OverflowError("too large for bfloat16")
    return bits + 0x7FFF + (bits >> 16 & 1) >> 16


def _unpack_bfloat16(raw: bytes) -> list[Any]:
    count = len(raw) // 2
    singles = struct.pack(f"<{count}I", *(bits << 16 for bits in struct.unpack(f"<{count}H", raw)))
    return list(struct.unpack(f"<{count}f", singles))


def _no_bytes(_: Any) -> Any:
    raise TypeError("BYTES elements have no common size")


def _datatype(
    name: str,
    dtype: str,
    field: str,
    carrier: str,
    accepted: Iterable[type],
    packing: tuple[Pack, Unpack] | None = None,
) -> Datatype:
    number = DataType[f"DT_{dtype}"].number
    pack, unpack = packing or _packing(carrier)
    size = array(carrier).itemsize if carrier else 0
    return Datatype(name, dtype, number, size, field, carrier, frozenset(accepted), pack, unpack)


_DATATYPES = (
    _datatype("BOOL", "BOOL", "bool_val", "B", (bool,), _packing("?")),
    _datatype("UINT8", "UINT8", "int_val", "B", (int,)),
    _datatype("UINT16", "UINT16", "int_val", "H", (int,)),
    _datatype("UINT32", "UINT32", "uint32_val", "I", (int,)),
    _datatype("UINT64", "UINT64", "uint64_val", "Q", (int,)),
    _datatype("INT8", "INT8", "int_val", "b", (int,)),
    _datatype("INT16", "INT16", "int_val", "h", (int,)),
    _datatype("INT32", "INT32", "int_val", "i", (int,)),
    _datatype("INT64", "INT64", "int64_val", "q", (int,)),
    _datatype("FP16", "HALF", "half_val", "H", (int, float), _packing("e")),
    _datatype("BF16", "BFLOAT16", "half_val", "H", (int, float), (_pack_bfloat16, _unpack_bfloat16)),
    _datatype("FP32", "FLOAT", "float_val", "f", (int, float)),
    _datatype("FP64", "DOUBLE", "double_val", "d", (int, float)),
    _datatype("BYTES", "STRING", "string_val", "", (str,), (_no_bytes, _no_bytes)),
)

BY_NAME = {datatype.name: datatype for datatype in _DATATYPES}
BY_NUMBER = {datatype.number: datatype for datatype in _DATATYPES}
BY_DTYPE = {datatype.dtype: datatype for datatype in _DATATYPES}


def name_of(dtype: str) -> str:
    """Return the protocol's name for one of TensorFlow's types, or TensorFlow's own if the protocol has none."""
    return BY_DTYPE[dtype].name if dtype in BY_DTYPE else dtype
