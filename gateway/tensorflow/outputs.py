"""Converts TensorProto messages to JSON text, as TensorFlow Serving writes it.

It writes text directly, without a JSON encoder: an encoder writes a float32 with the digits of a float64, cannot write
bytes that are not UTF-8, and is slower.
"""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import pybase64

from contract.serving_messages import DataType
from gateway.backend.datatypes import BY_NUMBER, Datatype
from gateway.backend.tensors import shape_of
from gateway.errors import BadTensorError, ModelServerFailedError

_SINGLES = frozenset({"FLOAT", "HALF", "BFLOAT16"})
_HALVES = frozenset({"HALF", "BFLOAT16"})
_BYTES_SUFFIX = "_bytes"
_MAX_ELEMENTS = 2**28  # a tensor of one repeated value could claim any shape
_FLOATS_AT_ONCE = 10_000  # a few milliseconds, for which Python's lock is held
_LITERALS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def write_predictions(outputs: Mapping[str, Any]) -> bytes:
    """Return a response body in row format: `{"predictions": [...]}`, one row per element of the first dimension.

    Raises:
        BadTensorError: an output has no batch dimension, another number of rows, or a type that JSON cannot represent.
        ModelServerFailedError: there is no output, or the values of one do not fit its shape.
    """
    _check_rows(outputs)
    columns = {name: _nested(_write_elements(name, tensor), shape_of(tensor), 1) for name, tensor in outputs.items()}
    return _body("predictions", _array(_write_rows(columns)))


def write_outputs(outputs: Mapping[str, Any]) -> bytes:
    """Return a response body in column format: `{"outputs": ...}`, an object if there is more than one.

    Raises:
        BadTensorError: an output has a type that JSON cannot represent.
        ModelServerFailedError: there is no output, or the values of one do not fit its shape.
    """
    if not outputs:
        raise ModelServerFailedError("The model server's response has no output.")
    columns = {name: _nested(_write_elements(name, tensor), shape_of(tensor), 0) for name, tensor in outputs.items()}
    return _body("outputs", _write_rows(columns)[0])


def write_classes(result: Any) -> bytes:
    """Return the response body of classify: pairs of label and score for each example."""
    return _body("results", _array(map(_write_ranking, result.classifications)))


def write_values(result: Any) -> bytes:
    """Return the response body of regress: a number for each example."""
    return _body("results", _array(write_floats([regression.value for regression in result.regressions])))


def write_floats(values: Sequence[float]) -> list[str]:
    """Return float32 values as JSON: with six digits if these are exact, else with the nine that always are."""
    written: list[str] = []
    for start in range(0, len(values), _FLOATS_AT_ONCE):
        some = values[start : start + _FLOATS_AT_ONCE]
        short = ("%.6g " * len(some) % tuple(some)).split()
        written += [
            _decimal(text if again == value else f"{value:.9g}")
            for text, again, value in zip(short, array("f", map(float, short)), some, strict=True)
        ]
    return written


def write_doubles(values: Iterable[float]) -> list[str]:
    """Return float64 values as JSON: with 15 digits if these are exact, else with 17."""
    return [_decimal(text if float(text := f"{value:.15g}") == value else f"{value:.17g}") for value in values]


def quote(text: str) -> str:
    """Return a JSON string; surrogates in it stand for bytes that are not UTF-8, and become those bytes in the body."""
    return encode_basestring(text)


def _write_ranking(ranking: Any) -> str:
    scores = write_floats([scored.score for scored in ranking.classes])
    labels = [quote(scored.label) for scored in ranking.classes]
    return _array(f"[{label}, {score}]" for label, score in zip(labels, scores, strict=True))


def _decimal(text: str) -> str:
    """Return a number as JSON that no parser reads as an integer."""
    if "." in text or "e" in text:
        return text
    return _LITERALS.get(text) or text + ".0"


def _write_elements(name: str, tensor: Any) -> list[str]:
    """Return every element of a tensor as JSON, in row-major order; strings of outputs named `*_bytes` as base64."""
    if tensor.dtype == DataType["DT_STRING"].number:
        write = _write_base64 if name.endswith(_BYTES_SUFFIX) else _write_string
        return [write(value) for value in _repeated(list(tensor.string_val), tensor, b"")]
    datatype = BY_NUMBER.get(tensor.dtype)
    if datatype is None:
        raise BadTensorError(f"Failed to write JSON value for tensor type: {_dtype_name(tensor.dtype)}")
    values = _repeated(_numbers(tensor, datatype), tensor, 0)
    if datatype.dtype in _SINGLES:
        return write_floats(values)
    if datatype.dtype == "DOUBLE":
        return write_doubles(values)
    return ["true" if value else "false" for value in values] if datatype.dtype == "BOOL" else list(map(str, values))


def _numbers(tensor: Any, datatype: Datatype) -> list[Any]:
    """Return the numbers of a tensor, from its typed field or its raw bytes."""
    if tensor.tensor_content:
        if len(tensor.tensor_content) % datatype.size:
            raise _not_as_announced()
        return datatype.unpack(tensor.tensor_content)
    values = list(getattr(tensor, datatype.field))
    return datatype.unpack(datatype.bits(values)) if datatype.dtype in _HALVES else values


def _repeated(values: list[Any], tensor: Any, nothing: Any) -> list[Any]:
    """Return as many values as the shape declares; TensorFlow may omit repetitions of the last one."""
    count = math.prod(shape_of(tensor))
    if len(values) == count:
        return values
    if len(values) > count or count > _MAX_ELEMENTS:
        raise _not_as_announced()
    return values + [values[-1] if values else nothing] * (count - len(values))


def _check_rows(outputs: Mapping[str, Any]) -> None:
    if not outputs:
        raise ModelServerFailedError("The model server's response has no output.")
    rows: int | None = None
    for name, tensor in outputs.items():
        shape = shape_of(tensor)
        if not shape:
            raise BadTensorError(f"Tensor name: {name} has no shape information ")
        if rows is not None and shape[0] != rows:
            raise BadTensorError(f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {rows}")
        rows = shape[0]


def _nested(elements: list[str], shape: Sequence[int], outer: int) -> list[str]:
    """Return one JSON text for each index into the first `outer` dimensions; the others are nested in it."""
    for position in range(len(shape) - 1, outer - 1, -1):
        size = shape[position]
        starts = range(0, math.prod(shape[:position]) * size, size) if size else [0] * math.prod(shape[:position])
        elements = [_array(elements[start : start + size]) for start in starts]
    return elements


def _write_rows(columns: Mapping[str, list[str]]) -> list[str]:
    """Return a JSON text for each row: the value of the only column, or an object of all columns."""
    if len(columns) == 1:
        return next(iter(columns.values()))
    keys = [f"{quote(name)}: " for name in columns]
    return [
        "{" + ", ".join(map("".join, zip(keys, row, strict=True))) + "}" for row in zip(*columns.values(), strict=True)
    ]


def _write_string(value: bytes) -> str:
    return encode_basestring(value.decode("utf-8", errors="surrogateescape"))


def _write_base64(value: bytes) -> str:
    return f'{{"b64": "{pybase64.b64encode_as_string(value)}"}}'


def _array(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _body(key: str, text: str) -> bytes:
    return f'{{"{key}": {text}}}'.encode("utf-8", errors="surrogateescape")


def _dtype_name(number: int) -> str:
    return next((name.removeprefix("DT_").lower() for name, known in DataType.items() if known.number == number), "?")


def _not_as_announced() -> ModelServerFailedError:
    return ModelServerFailedError("The values in the model server's response do not fit their declared shape.")
