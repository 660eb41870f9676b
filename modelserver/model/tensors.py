"""TensorProto to numpy and back.

A tensor travels either in the typed field of its element type or as raw little-endian bytes in `tensor_content`.
Requests may use either; responses use typed fields only, as TensorFlow Serving's do.
"""

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from contract.serving_messages import DataType, TensorProto
from modelserver.errors import BadInputError, UnsupportedTypeError
from modelserver.model.packed_fields import AS_IN_MEMORY, packed_field

Array = npt.NDArray[Any]

_MAX_BYTES = 2**31
"""A message holds no more, so no tensor is larger."""
MAX_FILLED_BYTES = 2**20
"""What values that were not sent may come to: one that is repeated could fill any shape."""
MAX_CONTENT_STRINGS = 65_536
"""In one `tensor_content`, where an empty string takes one byte."""
_VARINT_BYTES = 10


@dataclass(frozen=True)
class _Encoding:
    """How elements of one type travel: typed field, element type of that field, and of a pair or bit pattern."""

    data_type: int
    dtype: np.dtype[Any]
    field: str
    carrier: np.dtype[Any]
    """What the field's values are cast to and then viewed as `dtype`: the same bytes."""


def _encoding(name: str, dtype: Any, field: str, carrier: Any = None) -> _Encoding:
    return _Encoding(DataType[name].number, np.dtype(dtype), field, np.dtype(carrier or dtype))


_ENCODINGS = (
    _encoding("DT_FLOAT", np.float32, "float_val"),
    _encoding("DT_DOUBLE", np.float64, "double_val"),
    _encoding("DT_INT32", np.int32, "int_val"),
    _encoding("DT_INT16", np.int16, "int_val"),
    _encoding("DT_INT8", np.int8, "int_val"),
    _encoding("DT_UINT8", np.uint8, "int_val"),
    _encoding("DT_UINT16", np.uint16, "int_val"),
    _encoding("DT_UINT32", np.uint32, "uint32_val"),
    _encoding("DT_UINT64", np.uint64, "uint64_val"),
    _encoding("DT_INT64", np.int64, "int64_val"),
    _encoding("DT_BOOL", np.bool_, "bool_val"),
    _encoding("DT_STRING", np.object_, "string_val"),
    _encoding("DT_HALF", np.float16, "half_val", np.uint16),
    _encoding("DT_BFLOAT16", ml_dtypes.bfloat16, "half_val", np.uint16),
    _encoding("DT_COMPLEX64", np.complex64, "scomplex_val", np.float32),
    _encoding("DT_COMPLEX128", np.complex128, "dcomplex_val", np.float64),
)
_BY_DATA_TYPE = {encoding.data_type: encoding for encoding in _ENCODINGS}
_BY_DTYPE = {encoding.dtype: encoding for encoding in _ENCODINGS}
_NAMES: dict[int, str] = {value.number: name.removeprefix("DT_").lower() for name, value in DataType.items()}


def data_type_of(array: Array) -> int:
    """Return the `tensorflow.DataType` number of an array's elements; strings are objects.

    Raises:
        UnsupportedTypeError: no TensorProto carries this type.
    """
    return _encoding_of(array).data_type


def data_type_name(data_type: int) -> str:
    """Return the name TensorFlow's messages use for a `DataType` number: `float`, `int64`, `string`."""
    return _NAMES.get(data_type, str(data_type))


def data_type_label(array: Array) -> str:
    """Return the type of an array's elements as protocol buffers call it: `DT_FLOAT`."""
    return f"DT_{data_type_name(data_type_of(array)).upper()}"


def shape_text(array: Array) -> str:
    """Return an array's shape as TensorFlow writes it: `[1,2]`."""
    return f"[{','.join(map(str, array.shape))}]"


def to_array(tensor: Any, name: str) -> Array:
    """Return a TensorProto as an array of its dtype and shape; strings as an object array of `bytes`.

    `tensor_content` wins over typed fields. Of typed values, too few are continued with the last one, none stand
    for zeros or empty strings, and those over are cut. The array may be read-only.

    Raises:
        BadInputError: the dtype, the shape or the length of the content is impossible, or values are missing that
            come to more than `MAX_FILLED_BYTES`, or there are too many strings; the message has `name`.
    """
    encoding = _BY_DATA_TYPE.get(tensor.dtype)
    shape = () if tensor.tensor_shape.unknown_rank else tuple(dim.size for dim in tensor.tensor_shape.dim)
    size = math.prod(shape)
    if encoding is None or any(length < 0 for length in shape) or size * encoding.dtype.itemsize > _MAX_BYTES:
        raise BadInputError(f"tensor parsing error: {name}")
    _check_size(tensor, encoding, size, name)
    try:
        flat = _from_content if tensor.tensor_content else _from_typed_values
        return flat(tensor, encoding, size).reshape(shape)
    except ValueError as error:  # the content's length, or more dimensions than numpy has
        raise BadInputError(f"tensor parsing error: {name}") from error


def write_tensor(array: Array, tensor: Any) -> None:
    """Write an array into an empty TensorProto, which may lie in another message, every element in the typed field.

    Raises:
        UnsupportedTypeError: no TensorProto carries the array's type.
    """
    encoding = _encoding_of(array)
    tensor.dtype = encoding.data_type
    tensor.tensor_shape.SetInParent()  # a scalar's shape has no dimensions, but it is there
    for length in array.shape:
        tensor.tensor_shape.dim.add(size=length)
    values = array.ravel().view(encoding.carrier)
    if encoding.carrier in AS_IN_MEMORY:
        tensor.MergeFromString(packed_field(TensorProto.DESCRIPTOR.fields_by_name[encoding.field].number, values))
    else:  # tolist: protobuf takes Python numbers four times faster than numpy's
        getattr(tensor, encoding.field).extend(values.tolist())


def _encoding_of(array: Array) -> _Encoding:
    encoding = _BY_DTYPE.get(array.dtype)
    if encoding is None:
        raise UnsupportedTypeError(f"Elements of type {array.dtype} cannot be sent in a tensor.")
    return encoding


def _check_size(tensor: Any, encoding: _Encoding, size: int, name: str) -> None:
    """Refuse what would take much more memory than was sent, before it takes any."""
    is_string = encoding.dtype == np.object_
    if tensor.tensor_content:
        if is_string and size > MAX_CONTENT_STRINGS:
            raise BadInputError(f"The input {name} has {size} strings, and one may have {MAX_CONTENT_STRINGS}.")
        return
    values = getattr(tensor, encoding.field)
    given = len(values) * encoding.carrier.itemsize // encoding.dtype.itemsize
    width = encoding.dtype.itemsize + (len(values[-1]) if is_string and values else 0)
    if (size - given) * width > MAX_FILLED_BYTES:
        raise BadInputError(
            f"The input {name} has the shape {[dim.size for dim in tensor.tensor_shape.dim]}, and {given} of its "
            f"{size} values were sent; of a tensor of this size all have to be."
        )


def _from_content(tensor: Any, encoding: _Encoding, size: int) -> Array:
    content = tensor.tensor_content
    if encoding.dtype == np.object_:
        return _strings_from_content(content, size)
    if len(content) != size * encoding.dtype.itemsize:
        raise ValueError("the content's length does not fit the shape")
    return np.frombuffer(content, encoding.dtype)


def _from_typed_values(tensor: Any, encoding: _Encoding, size: int) -> Array:
    values = np.array(getattr(tensor, encoding.field), _wide(encoding)).astype(encoding.carrier)
    width = encoding.dtype.itemsize // encoding.carrier.itemsize  # a complex number is two values
    given = values[: len(values) // width * width].view(encoding.dtype)[:size]
    if len(given) == size:
        return given
    filled = np.full(size, b"" if encoding.dtype == np.object_ else 0, encoding.dtype)
    filled[: len(given)] = given
    if len(given):
        filled[len(given) :] = given[-1]
    return filled


def _wide(encoding: _Encoding) -> np.dtype[Any]:
    # int_val and half_val hold int32; narrowing from there wraps around as in TensorFlow Serving, instead of raising
    return np.dtype(np.int32) if encoding.field in {"int_val", "half_val"} else encoding.carrier


def _strings_from_content(content: bytes, size: int) -> Array:
    """Read TensorFlow's form of strings: all lengths as varints, then all bytes."""
    lengths, at = [], 0
    for _ in range(min(size, len(content) + 1)):
        length, at = _varint(content, at)
        lengths.append(length)
    if len(lengths) != size or at + sum(lengths) != len(content):
        raise ValueError("the lengths of the strings do not fit the content")
    strings = np.empty(size, np.object_)
    for row, length in enumerate(lengths):
        strings[row] = content[at : at + length]
        at += length
    return strings


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(at, min(at + _VARINT_BYTES, len(content))):
        byte = content[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise ValueError("the content ends within a length, or the length is no 64-bit number")
