"""The Open Inference Protocol's tensors to TensorProto and back, against numpy as the other side."""

import json
import math
import struct
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from contract.serving_messages import DataType, TensorProto
from gateway.errors import BadTensorError, ModelServerFailedError
from gateway.open_inference.inputs import read_inputs
from gateway.open_inference.outputs import write_output
from gateway.open_inference.requests import InputTensor
from gateway.predict.model_signatures import Signature, TensorSpec
from modelserver.model.tensors import to_array
from tests.fakes.tensors import to_tensor

NUMPY_TYPES: dict[str, tuple[str, Any]] = {
    "BOOL": ("BOOL", np.bool_),
    "UINT8": ("UINT8", np.uint8),
    "UINT16": ("UINT16", np.uint16),
    "UINT32": ("UINT32", np.uint32),
    "UINT64": ("UINT64", np.uint64),
    "INT8": ("INT8", np.int8),
    "INT16": ("INT16", np.int16),
    "INT32": ("INT32", np.int32),
    "INT64": ("INT64", np.int64),
    "FP16": ("HALF", np.float16),
    "BF16": ("BFLOAT16", ml_dtypes.bfloat16),
    "FP32": ("FLOAT", np.float32),
    "FP64": ("DOUBLE", np.float64),
    "BYTES": ("STRING", np.object_),
}
"""TensorFlow's name and numpy's type by the protocol's name."""

shapes = st.lists(st.integers(1, 4), max_size=3)
datatypes = st.sampled_from(sorted(NUMPY_TYPES))
few = settings(max_examples=60, deadline=None, database=None)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, npt.NDArray[Any]]:
    """A datatype and an array of it with any bits, those of NaN and infinity included; BYTES are UTF-8."""
    name, shape = draw(datatypes), draw(shapes)
    dtype, count = np.dtype(NUMPY_TYPES[name][1]), math.prod(shape)
    if name == "BYTES":
        texts = draw(st.lists(st.text(max_size=5), min_size=count, max_size=count))
        flat = np.empty(count, np.object_)
        flat[:] = [text.encode() for text in texts]
    elif name == "BOOL":
        flat = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    else:
        size = count * dtype.itemsize
        flat = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype)
    return name, flat.reshape(shape)


def signature_of(name: str, shape: tuple[int, ...] | None = None) -> Signature:
    """Return a signature with one input `x` of a datatype."""
    dtype = NUMPY_TYPES[name][0]
    return Signature(1, "serving_default", {"x": TensorSpec(dtype, DataType[f"DT_{dtype}"].number, shape)}, {})


def binary_of(array: npt.NDArray[Any]) -> bytes:
    """Return the protocol's binary data of an array."""
    if array.dtype != np.object_:
        return array.tobytes()
    return b"".join(struct.pack("<I", len(element)) + element for element in array.ravel())


def read_binary(name: str, shape: tuple[int, ...], raw: bytes) -> Any:
    """Return what an input with this binary data becomes."""
    described = {"name": "x", "datatype": name, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    return read_one(name, described, raw)


def read_one(name: str, described: dict[str, Any], raw: bytes = b"") -> Any:
    """Return what an input becomes for a model that takes any shape of its datatype."""
    tensor = InputTensor.model_validate_json(to_json(described))
    return read_inputs((tensor,), memoryview(raw), signature_of(name))["x"]


def widened(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return floats as float64; numpy warns of signalling NaNs, which any bits may be."""
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def same(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> bool:
    """Tell whether two arrays have the same type, shape and bits, any NaN being like any other."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind in "fV" or left.dtype == ml_dtypes.bfloat16:
        left, right = widened(left), widened(right)
        equal = np.array_equal(left, right, equal_nan=True)
        return equal and bool(np.all(np.isnan(left) | (np.signbit(left) == np.signbit(right))))
    return np.array_equal(left, right)


@few
@given(arrays())
def test_binary_inputs_hold_the_sent_elements(drawn: tuple[str, npt.NDArray[Any]]) -> None:
    """Binary data of any datatype becomes a TensorProto of exactly these bits."""
    name, array = drawn
    read = to_array(read_binary(name, array.shape, binary_of(array)), "x")
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert binary_of(read) == binary_of(array)


@few
@given(arrays(), st.booleans())
def test_json_inputs_hold_the_sent_elements(drawn: tuple[str, npt.NDArray[Any]], nested: bool) -> None:
    """JSON data of any datatype, flat or nested, becomes a TensorProto of exactly these elements."""
    name, array = drawn
    values = widened(array) if name == "BF16" else array
    listed: Any = np.vectorize(bytes.decode, otypes=[object])(array) if name == "BYTES" else values
    data = listed.tolist() if nested and array.ndim else listed.ravel().tolist()
    described = {"name": "x", "datatype": name, "shape": array.shape, "data": data}
    assert same(to_array(read_one(name, described), "x"), array)


@few
@given(arrays(), st.booleans())
def test_binary_outputs_hold_the_answered_elements(drawn: tuple[str, npt.NDArray[Any]], raw: bool) -> None:
    """Typed fields and raw content of any datatype become binary data of these elements, its length said."""
    name, array = drawn
    tensor = _raw_tensor(array) if raw and name != "BYTES" else to_tensor(array)
    described, binary = write_output("y", tensor, binary=True)
    if name == "BYTES":
        assert binary == binary_of(array)
    else:
        assert same(np.frombuffer(binary, array.dtype).reshape(array.shape), array)
    assert described["datatype"] == name
    assert tuple(described["shape"]) == array.shape
    assert described["parameters"] == {"binary_data_size": len(binary)}


@few
@given(arrays(), st.booleans())
def test_json_outputs_hold_the_answered_elements(drawn: tuple[str, npt.NDArray[Any]], raw: bool) -> None:
    """Typed fields and raw content become JSON that reads back as exactly these elements, or are refused in words."""
    name, array = drawn
    tensor = _raw_tensor(array) if raw and name != "BYTES" else to_tensor(array)
    if name.endswith(("FP16", "FP32", "FP64", "BF16")) and not np.isfinite(widened(array)).all():
        with pytest.raises(BadTensorError, match="are not finite, which JSON does not have; request"):
            write_output("y", tensor, binary=False)
        return
    described, binary = write_output("y", tensor, binary=False)
    data = json.loads(to_json(described))["data"]
    if name == "BYTES":
        data = [text.encode() for text in data]
    flat = np.empty(len(data), array.dtype)
    flat[:] = data
    assert binary == b""
    assert same(flat.reshape(array.shape), array)


@few
@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=1, max_size=20))
@example([3.4e38])
def test_numbers_are_rounded_to_bfloat16_as_ml_dtypes_does(values: list[float]) -> None:
    """Floats in JSON become the nearest bfloat16, ties to even; what would become an infinity is refused."""
    expected = np.array(values, np.float32).astype(ml_dtypes.bfloat16)
    described = {"name": "x", "datatype": "BF16", "shape": [len(values)], "data": values}
    if np.isinf(expected.astype(np.float32)).any():
        with pytest.raises(BadTensorError, match="out of range for BF16"):
            read_one("BF16", described)
    else:
        assert same(to_array(read_one("BF16", described), "x"), expected)


@pytest.mark.parametrize("bits", [0x3F808000, 0x3F818000, 0x3F808001, 0x7F7F7FFF, 0x80000001, 0x7FC00000])
def test_bfloat16_ties_go_to_even(bits: int) -> None:
    """Floats half way between two bfloat16 values, and those beside, are rounded as ml_dtypes does."""
    value = np.array([bits], np.uint32).view(np.float32)
    read = read_one("BF16", {"name": "x", "datatype": "BF16", "shape": [1], "data": value.tolist()})
    assert same(to_array(read, "x"), value.astype(ml_dtypes.bfloat16))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UINT8", 256),
        ("UINT8", -1),
        ("INT8", 128),
        ("UINT16", 65536),
        ("INT16", -32769),
        ("INT32", 2**31),
        ("UINT32", -1),
        ("INT64", 2**63),
        ("UINT64", 2**64),
        ("FP16", 65520.0),
        ("FP32", 1e39),
        ("FP64", 10**400),
        ("BF16", 3.4e38),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    """A JSON number that the datatype cannot hold is refused, never wrapped around or made infinite."""
    text = json.dumps({"name": "x", "datatype": name, "shape": [1], "data": [value]})
    tensor = InputTensor.model_validate_json(text)
    with pytest.raises(BadTensorError, match=f"out of range for {name}"):
        read_inputs((tensor,), memoryview(b""), signature_of(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [("INT32", 1.0), ("INT32", True), ("FP32", "1"), ("FP32", True), ("BOOL", 1), ("BYTES", 1), ("UINT8", None)],
)
def test_values_of_another_json_type_are_refused(name: str, value: object) -> None:
    """A JSON value of another kind than the datatype is refused and shown, never converted."""
    with pytest.raises(BadTensorError, match=f"must hold {name} values, not {value!r}"):
        read_one(name, {"name": "x", "datatype": name, "shape": [1], "data": [value]})


@pytest.mark.parametrize(
    "data", [[[1, 2], [3]], [[1, 2, 3, 4]], [[1], [2], [3], [4]], [[[1, 2]], [[3, 4]]], [[1, 2], 3]]
)
def test_data_that_is_nested_unlike_its_shape_is_refused(data: list[Any]) -> None:
    """Nested data has to have the shape's sizes at every depth."""
    with pytest.raises(BadTensorError, match="shape"):
        read_one("INT32", {"name": "x", "datatype": "INT32", "shape": [2, 2], "data": data})


@given(st.binary(max_size=40), st.integers(0, 4))
@few
def test_arbitrary_bytes_are_elements_or_refused(raw: bytes, count: int) -> None:
    """Bytes that are no length-prefixed elements, or not as many as the shape says, are refused."""
    if count == 0:
        return
    try:
        tensor = read_binary("BYTES", (count,), raw)
    except BadTensorError:
        return
    assert binary_of(to_array(tensor, "x")) == raw
    assert len(tensor.string_val) == count


def test_a_byte_that_is_no_truth_value_is_refused() -> None:
    """A BOOL element is the byte 0 or 1: any other would be undefined behaviour in the model server."""
    with pytest.raises(BadTensorError, match="neither 0 nor 1"):
        read_binary("BOOL", (3,), b"\0\1\2")


@pytest.mark.parametrize("name", [name for name in NUMPY_TYPES if name != "BYTES"])
def test_left_out_repetitions_of_an_answer_are_filled_in(name: str) -> None:
    """A typed field with fewer elements than the shape means that its last one is repeated."""
    array = np.array([0, 1, 1, 1]).astype(NUMPY_TYPES[name][1])
    shortened = to_tensor(array[:2])
    shortened.tensor_shape.dim[0].size = 4
    assert write_output("y", shortened, binary=True)[1] == array.tobytes()


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(dtype=1, float_val=[1, 2, 3], tensor_shape={"dim": [{"size": 2}]}),
        TensorProto(dtype=1, tensor_content=b"1234567", tensor_shape={"dim": [{"size": 2}]}),
        TensorProto(dtype=4, int_val=[256], tensor_shape={"dim": [{"size": 1}]}),
        TensorProto(dtype=7, string_val=[b"a"], tensor_shape={"dim": [{"size": 2}]}),
        TensorProto(dtype=1, float_val=[1], tensor_shape={"dim": [{"size": 2**40}]}),
    ],
    ids=["too-many", "wrong-length", "out-of-range", "too-few-strings", "bomb"],
)
@pytest.mark.parametrize("binary", [True, False])
def test_an_answer_that_is_not_what_it_announces_is_a_failure(tensor: Any, binary: bool) -> None:
    """Too many, too few or impossible elements are the model server's failure, not an answer."""
    with pytest.raises(ModelServerFailedError):
        write_output("y", tensor, binary=binary)


def _raw_tensor(array: npt.NDArray[Any]) -> Any:
    tensor = to_tensor(array)
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    raw = TensorProto(dtype=tensor.dtype, tensor_content=array.tobytes())
    for size in shape:
        raw.tensor_shape.dim.add(size=size)
    return raw
