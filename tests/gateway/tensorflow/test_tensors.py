"""JSON to tensors and back, for every type and rank."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import serving_messages as messages
from gateway.errors import BadJsonError, BadTensorError, ModelServerFailedError, UnsupportedError
from gateway.http.base64_text import decode_base64
from gateway.predict.model_signatures import TensorSpec
from gateway.settings import Settings
from gateway.tensorflow.dtypes import READABLE
from gateway.tensorflow.inputs import is_row_format, read_inputs, read_instances
from gateway.tensorflow.json_values import read_document
from gateway.tensorflow.outputs import write_doubles, write_floats, write_outputs, write_predictions

_ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "FLOAT": st.floats(width=32),
    "DOUBLE": st.floats(),
    "INT8": st.integers(-128, 127),
    "INT16": st.integers(-(2**15), 2**15 - 1),
    "INT32": st.integers(-(2**31), 2**31 - 1),
    "UINT8": st.integers(0, 255),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "UINT32": st.integers(0, 2**32 - 1),
    "UINT64": st.integers(0, 2**64 - 1),
    "BOOL": st.booleans(),
    "STRING": st.text(),
}
_IN_THE_LIST = "of 'instances' list. Error: INVALID_ARGUMENT: "
_SHAPES = st.lists(st.integers(1, 3), max_size=4)

_FEW = settings(deadline=None, max_examples=60)


def _spec(dtype: str, shape: tuple[int, ...] | None = None) -> TensorSpec:
    return TensorSpec(dtype, messages.DataType[f"DT_{dtype}"].number, shape)


def _through_json(value: Any) -> Any:
    """Return a value as the parser gives it, NaN and infinities included."""
    return read_document(json.dumps({"value": value}).encode(), Settings(models=("any",), max_json_depth=500))["value"]


def _nested(shape: list[int], elements: list[Any]) -> Any:
    for size in reversed(shape):
        elements = [elements[start : start + size] for start in range(0, len(elements), size)]
    return elements[0]


@st.composite
def _tensors(draw: st.DrawFn) -> tuple[str, list[int], Any]:
    dtype, shape = draw(st.sampled_from(sorted(_ELEMENTS))), draw(_SHAPES)
    count = math.prod(shape)
    return dtype, shape, _nested(shape, draw(st.lists(_ELEMENTS[dtype], min_size=count, max_size=count)))


def _rounded(value: Any) -> Any:
    """Return a JSON value with its floats rounded to float32."""
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return struct.unpack("<f", struct.pack("<f", value))[0] if isinstance(value, float) else value


def _equal(seen: Any, expected: Any) -> bool:
    """Compare exactly, types of numbers and signs of zeros included; NaN equals NaN."""
    return repr(seen) == repr(expected)


@_FEW
@given(_tensors())
def test_columns_survive_the_way_to_a_tensor_and_back(tensor: tuple[str, list[int], Any]) -> None:
    """Every value of every type and rank comes back exactly from an input through an output."""
    dtype, shape, value = tensor
    read = read_inputs(_through_json(value), {"x": _spec(dtype)})["x"]
    assert [dim.size for dim in read.tensor_shape.dim] == shape
    assert read.dtype == messages.DataType[f"DT_{dtype}"].number
    seen = json.loads(write_outputs({"y": read}))["outputs"]
    assert _equal(_rounded(seen) if dtype == "FLOAT" else seen, value)


@_FEW
@given(_tensors(), st.integers(1, 3))
def test_rows_survive_the_way_to_a_tensor_and_back(tensor: tuple[str, list[int], Any], count: int) -> None:
    """Rows come back exactly, alone as values and with another input as objects."""
    dtype, shape, value = tensor
    rows = _through_json([value] * count)
    alone = read_instances(rows, {"x": _spec(dtype)})
    named = read_instances([{"x": row, "k": 1} for row in rows], {"k": _spec("INT32"), "x": _spec(dtype)})
    assert [dim.size for dim in named["x"].tensor_shape.dim] == [count, *shape]
    seen = json.loads(write_predictions({"y": alone["x"]}))["predictions"]
    together = json.loads(write_predictions({"k": named["k"], "y": named["x"]}))["predictions"]
    if dtype == "FLOAT":
        seen, together = _rounded(seen), _rounded(together)
    assert _equal(seen, [value] * count)
    assert _equal(together, [{"k": 1, "y": value}] * count)


@_FEW
@given(st.lists(st.binary(), min_size=1), st.booleans())
def test_bytes_survive_as_base64(values: list[bytes], padded: bool) -> None:
    """Any bytes come back from an output named `_bytes`; padding may be left out."""
    encoded = [json.loads(write_outputs({"x_bytes": _string(value), "y": _string(b"")}))["outputs"] for value in values]
    sent = [item["x_bytes"] if padded else {"b64": item["x_bytes"]["b64"].rstrip("=")} for item in encoded]
    assert list(read_inputs(sent, {"x": _spec("STRING")})["x"].string_val) == values


def test_strings_that_are_not_utf_8_are_written_byte_for_byte() -> None:
    """An output not named `_bytes` has its bytes in the body, as the real server does."""
    assert b'"\xff\xfe\\u0000a"' in write_outputs({"y": _string(b"\xff\xfe\x00a")})


_WRONG = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b64", "x", "k"]), inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(_WRONG, st.sampled_from([*READABLE, "HALF", "COMPLEX64"]), st.booleans())
def test_any_json_is_a_tensor_or_refused_with_a_reason(value: Any, dtype: str, two: bool) -> None:
    """Whatever is sent for one or two inputs becomes tensors or a refusal that says which value was wrong."""
    inputs = {"k": _spec("INT32"), "x": _spec(dtype)} if two else {"x": _spec(dtype)}
    for read in (read_inputs, read_instances):
        if read is read_instances and (not isinstance(value, list) or not value):
            continue
        assert "do not make up a tensor" not in _reason(read, _through_json(value), inputs)


def _reason(read: Any, value: Any, inputs: dict[str, TensorSpec]) -> str:
    """Return why a value was refused; nothing if it was not."""
    try:
        tensors = read(value, inputs)
    except (BadTensorError, UnsupportedError, BadJsonError) as error:
        return str(error)
    assert tensors.keys() <= inputs.keys()
    return ""


@pytest.mark.parametrize(
    ("value", "dtype", "reason"),
    [
        ([[1], [1, 2]], "FLOAT", "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ([1, [2]], "FLOAT", "Encountered list at unexpected level: 1 expected < 1"),
        ([[1], 2], "FLOAT", "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ([2**31], "INT8", "JSON Value: 2147483648 Type: Number is not of expected type: int8"),
        ([True], "INT32", "JSON Value: true Type: True is not of expected type: int32"),
        ([1.0], "INT64", "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        ([1], "BOOL", "JSON Value: 1 Type: Number is not of expected type: bool"),
        ([{"b64": "Y"}], "STRING", "Unable to base64 decode"),
        ([{"b65": "YQ=="}], "STRING", 'JSON Value: {"b65": "YQ=="} not formatted correctly for base64 data'),
        ({"z": 1}, "FLOAT", "Missing named input: x in 'inputs' object."),
        ([None], "UINT16", "Conversion of JSON Value: null to type: uint16"),
    ],
)
def test_reasons_are_those_of_tensorflow_serving(value: Any, dtype: str, reason: str) -> None:
    """A refusal has the words that clients of the real server know."""
    with pytest.raises((BadTensorError, UnsupportedError)) as caught:
        read_inputs(_through_json(value), {"x": _spec(dtype)})
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [{"x": [1], "k": 1}, {"x": [1, 2], "k": 1}],
            f"1 key: x {_IN_THE_LIST}Expecting tensor size: 1 but got: 2",
        ),
        ([{"x": [1], "k": 1}, {"x": 1, "k": 1}], f"1 key: x {_IN_THE_LIST}Expecting shape [1] but got: []"),
        ([{"x": [1]}], "0 of 'instances' list. JSON object: {\"x\": [1]} keys must be equal to: k,x"),
        ([{"z": 1}], f"0 key: z {_IN_THE_LIST}JSON object: does not have named input: z"),
    ],
)
def test_rows_that_differ_are_named(rows: list[Any], reason: str) -> None:
    """A refusal says which row and which input is not like the others, or not like the model's."""
    with pytest.raises(BadTensorError) as caught:
        read_instances(rows, {"k": _spec("INT32"), "x": _spec("FLOAT")})
    assert str(caught.value) == f"Failed to process element: {reason}"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([1, 2], "instances is a plain list, but expecting list of objects"),
        ([{"x": 1, "k": 1}, 2], "Expecting object but got list at item 1 of input list"),
    ],
)
def test_rows_without_names_are_refused_where_names_are_needed(rows: list[Any], reason: str) -> None:
    """A model with two inputs needs objects throughout."""
    with pytest.raises(BadTensorError, match=reason):
        read_instances(rows, {"k": _spec("INT32"), "x": _spec("FLOAT")})


@pytest.mark.parametrize("text", ["1e400", "-1e999", "1" * 400])
def test_numbers_too_large_for_a_float_are_refused(text: str) -> None:
    """A number that only looks infinite to the parser is not taken for Infinity."""
    document = read_document(f'{{"inputs": [Infinity, {text}]}}'.encode(), Settings(models=("any",)))
    with pytest.raises(BadJsonError, match="too big"):
        read_inputs(document["inputs"], {"x": _spec("DOUBLE")})


@pytest.mark.parametrize(
    ("document", "rows"), [({"instances": [1]}, True), ({"inputs": 1}, False), ({"inputs": None, "x": 1}, False)]
)
def test_the_format_is_told_by_its_key(document: dict[str, Any], rows: bool) -> None:
    """`instances` means rows, `inputs` means columns."""
    assert is_row_format(document) is rows


@pytest.mark.parametrize(
    "document", [{}, {"instances": [1], "inputs": [1]}, {"instances": []}, {"instances": {}}, {"Instances": [1]}]
)
def test_other_formats_are_refused(document: dict[str, Any]) -> None:
    """Both keys, none of them, and rows that are no list or an empty one are refused."""
    with pytest.raises(BadTensorError):
        is_row_format(document)


@pytest.mark.parametrize("text", ["YQ", "YQ==", "Y Q\n=\t=", " YQ = = "])
def test_base64_may_be_padded_and_hold_white_space(text: str) -> None:
    """Padding may be left out, white space may stand anywhere."""
    assert decode_base64(text) == b"a"


@pytest.mark.parametrize("text", ["Y", "YQ=", "YQ===", "YQ==YQ==", "_w==", "Y!", "YWI=="])
def test_other_text_is_no_base64(text: str) -> None:
    """The URL-safe alphabet, wrong padding and other characters are refused."""
    with pytest.raises(ValueError, match=r"."):
        decode_base64(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.333333343"),
        (16777216, "16777216.0"),
        (1e7, "1e+07"),
        (123456789, "123456792.0"),
        (1e-5, "1e-05"),
        (-0.0, "-0.0"),
        (100, "100.0"),
        (3.4028235e38, "3.40282347e+38"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_float32_values_have_the_recorded_digits(value: float, text: str) -> None:
    """Numbers are written as the recorded server writes them."""
    assert write_floats([struct.unpack("<f", struct.pack("<f", value))[0]]) == [text]


@_FEW
@given(st.lists(st.floats(width=32)))
def test_float32_values_keep_their_value_and_are_short(values: list[float]) -> None:
    """Reading a written float32 gives it back, and no number has more than nine digits or looks like a whole one."""
    for text, value in zip(write_floats(values), values, strict=True):
        again = json.loads(text)
        assert type(again) is float
        if not math.isnan(value):
            assert struct.pack("<f", again) == struct.pack("<f", value)
        assert sum(character.isdigit() for character in text.partition("e")[0].replace(".", "").lstrip("-0")) <= 10


@_FEW
@given(st.lists(st.floats(allow_nan=False)))
def test_float64_values_keep_their_value(values: list[float]) -> None:
    """Reading a written float64 gives it back."""
    assert _equal([json.loads(text) for text in write_doubles(values)], values)


def test_repeated_last_values_and_raw_bytes_are_read() -> None:
    """A tensor may leave out repetitions of its last value, or hold raw bytes."""
    short = messages.TensorProto(dtype=messages.DataType["DT_INT32"].number, int_val=[1, 7])
    raw = messages.TensorProto(
        dtype=messages.DataType["DT_FLOAT"].number, tensor_content=struct.pack("<4f", 1, 2, 3, 4)
    )
    for tensor in (short, raw):
        for size in (2, 2):
            tensor.tensor_shape.dim.add(size=size)
    assert json.loads(write_outputs({"a": short, "b": raw}))["outputs"] == {
        "a": [[1, 7], [7, 7]],
        "b": [[1.0, 2.0], [3.0, 4.0]],
    }


def test_tensors_that_break_their_promise_are_the_model_servers_failure() -> None:
    """More values than the shape has, half a value, or no output at all is no answer."""
    number = messages.DataType["DT_FLOAT"].number
    many = messages.TensorProto(dtype=number, float_val=[1, 2])
    torn = messages.TensorProto(dtype=number, tensor_content=b"abc")
    for outputs in ({"y": many}, {"y": torn}, {}):
        with pytest.raises(ModelServerFailedError):
            write_outputs(outputs)


@pytest.mark.parametrize(("shape", "text"), [((0,), []), ((0, 3), []), ((2, 0), [[], []]), ((1, 1, 0), [[[]]])])
def test_empty_tensors_keep_their_shape(shape: tuple[int, ...], text: Any) -> None:
    """A dimension of size 0 is an empty list in its place."""
    tensor = messages.TensorProto(dtype=messages.DataType["DT_FLOAT"].number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    assert json.loads(write_outputs({"y": tensor})) == {"outputs": text}
    assert json.loads(write_predictions({"y": tensor})) == {"predictions": text}


def test_outputs_of_different_length_are_no_rows() -> None:
    """A scalar, or outputs of different first dimensions, cannot be answered in row format."""
    one, two = _string(b"a"), messages.string_tensor([b"a", b"b"])
    for outputs, reason in (({"y": one}, "no shape"), ({"a": two, "b": messages.string_tensor([b"a"])}, "batch size")):
        with pytest.raises(BadTensorError, match=reason):
            write_predictions(outputs)


def _string(value: bytes) -> Any:
    return messages.TensorProto(dtype=messages.DataType["DT_STRING"].number, string_val=[value])
