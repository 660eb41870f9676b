from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from contract.serving_messages import DataType, TensorProto
from modelserver.errors import BadInputError, UnsupportedTypeError
from modelserver.model.tensors import to_array
from tests.fakes.tensors import to_tensor

EVERY_TYPE: list[npt.NDArray[Any]] = [
    np.array([[0.1, np.inf], [-0.0, 1e38]], np.float32),
    np.array([0.1, 1e300], np.float64),
    np.array([-(2**31), 2**31 - 1], np.int32),
    np.array([-(2**15), 2**15 - 1], np.int16),
    np.array([-128, 127], np.int8),
    np.array([0, 255], np.uint8),
    np.array([0, 2**16 - 1], np.uint16),
    np.array([0, 2**32 - 1], np.uint32),
    np.array([0, 2**64 - 1], np.uint64),
    np.array([-(2**63), 2**63 - 1], np.int64),
    np.array([True, False]),
    np.array([b"", b"\x00\xff"], np.object_),
    np.array([1.5, -2.0], np.float16),
    np.array([1.5, -2.0], ml_dtypes.bfloat16),
    np.array([1 + 2j, -3.5j], np.complex64),
    np.array([1 + 2j, -3.5j], np.complex128),
    np.array(7, np.int32),
    np.zeros((0, 3), np.float32),
    np.arange(12, dtype=np.float32).reshape(3, 4).T,
]


def _float_tensor(shape: list[int], values: list[float]) -> TensorProto:
    tensor = TensorProto(dtype=DataType["DT_FLOAT"].number, float_val=values)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


@pytest.mark.parametrize("array", EVERY_TYPE, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_every_type_survives_a_round_trip_in_typed_fields(array: npt.NDArray[Any]) -> None:
    """An array comes back from its tensor with the same dtype, shape and elements, and no tensor_content."""
    tensor = to_tensor(array)
    back = to_array(TensorProto.FromString(tensor.SerializeToString()), "x")
    assert not tensor.tensor_content
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert np.array_equal(back, array)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 127, 128, 5000])
@pytest.mark.parametrize(
    ("dtype", "field"),
    [
        ("float32", "float_val"),
        ("float64", "double_val"),
        ("bool", "bool_val"),
        ("int8", "int_val"),
        ("uint16", "int_val"),
        ("int32", "int_val"),
        ("int64", "int64_val"),
        ("uint32", "uint32_val"),
        ("uint64", "uint64_val"),
    ],
)
def test_a_tensor_is_what_protobuf_makes_of_its_numbers(size: int, dtype: str, field: str) -> None:
    """Fields that are written at once hold what they would if they were given number by number, at every length."""
    array = np.random.default_rng(size).integers(-(2**63), 2**63, size, np.int64).view(np.uint64).astype(dtype)
    if array.dtype.kind in "iu":
        array[: size // 2] >>= 8 * array.itemsize - 6  # short ones among long ones
    expected = TensorProto(dtype=to_tensor(array).dtype, tensor_shape=to_tensor(array).tensor_shape)
    getattr(expected, field).extend(array.tolist())
    assert to_tensor(array) == expected


@pytest.mark.parametrize(
    "array",
    [array for array in EVERY_TYPE if array.dtype != np.object_],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_content_is_read_as_little_endian_elements(array: npt.NDArray[Any]) -> None:
    """A tensor whose elements travel in tensor_content reads as the same array."""
    tensor = to_tensor(array)
    content = TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape, tensor_content=array.tobytes())
    assert np.array_equal(to_array(content, "x"), array)


def test_strings_in_content_are_read() -> None:
    """Strings in tensor_content are read in TensorFlow's form: all lengths, then all bytes."""
    tensor = TensorProto(dtype=DataType["DT_STRING"].number, tensor_content=b"\x02\x81\x01ab" + b"c" * 129)
    tensor.tensor_shape.dim.add(size=2)
    assert to_array(tensor, "x").tolist() == [b"ab", b"c" * 129]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], [0, 0, 0]), ([5.0, 6.0], [5, 6, 6]), ([1.0, 2.0, 3.0, 4.0], [1, 2, 3])],
    ids=["none", "too few", "too many"],
)
def test_typed_values_are_fitted_to_the_shape(values: list[float], expected: list[float]) -> None:
    """No values are zeros, too few repeat the last one, and too many are cut."""
    assert to_array(_float_tensor([3], values), "x").tolist() == expected


def test_missing_strings_are_empty() -> None:
    """A string tensor without values holds empty strings."""
    tensor = TensorProto(dtype=DataType["DT_STRING"].number)
    tensor.tensor_shape.dim.add(size=2)
    assert to_array(tensor, "x").tolist() == [b"", b""]


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(float_val=[1.0]),
        TensorProto(dtype=999),
        _float_tensor([-1, 4], [1.0]),
        _float_tensor([2**40, 2**40], [1.0]),
        _float_tensor([2**31], [1.0]),
        _float_tensor([1] * 100, [1.0]),
        TensorProto(dtype=DataType["DT_FLOAT"].number, tensor_content=b"\x00" * 5),
        TensorProto(dtype=DataType["DT_STRING"].number, tensor_content=b"\xff\xff"),
        TensorProto(dtype=DataType["DT_STRING"].number, tensor_content=b"\x05abc"),
    ],
    ids=["no dtype", "dtype 999", "negative", "overflow", "8 GiB", "rank 100", "length", "varint", "string"],
)
def test_impossible_tensors_are_refused_by_name(tensor: TensorProto) -> None:
    """A tensor that cannot be read is refused with TensorFlow Serving's words and the input's name."""
    with pytest.raises(BadInputError, match=r"^tensor parsing error: pixels$"):
        to_array(tensor, "pixels")


def test_a_type_no_tensor_carries_is_refused() -> None:
    """An array of dates cannot be sent."""
    with pytest.raises(UnsupportedTypeError, match="datetime64"):
        to_tensor(np.array(["2020-01-01"], "datetime64[D]"))
