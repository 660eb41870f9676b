"""Converts the JSON of a predict request to TensorProto messages.

Valid input is converted level by level, without a Python loop over numbers. Invalid input is then checked element by
element by `gateway.tensorflow.validation_errors`, for TensorFlow Serving's message.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

from contract import serving_messages as messages
from contract.signatures import IMAGE_INPUT
from gateway.errors import BadTensorError
from gateway.http.base64_text import decode_base64
from gateway.predict.image_texts import takes_images
from gateway.predict.model_signatures import Signature, TensorSpec
from gateway.tensorflow.dtypes import READABLE, JsonDtype, is_base64
from gateway.tensorflow.json_values import encode_text, number_too_big, refuse_too_large, show
from gateway.tensorflow.validation_errors import check_inputs, check_instances

_SHOWN_CHARACTERS = 20

_FLOATS = frozenset({"float_val", "double_val"})
_VALUES_AT_ONCE = 50_000  # ten milliseconds at most, for which Python's lock is held


class Flat(NamedTuple):
    """The shape of nested lists, and their innermost values in row-major order."""

    shape: tuple[int, ...]
    values: list[Any]


class _NotATensorError(ValueError):
    """The values are not a tensor of the expected type; the reason is determined later."""


def is_row_format(document: Mapping[str, Any]) -> bool:
    """Return whether a predict request is in row format (`instances`), and not in column format (`inputs`).

    Raises:
        BadTensorError: it has both keys or neither, or its rows are not a list with at least one element.
    """
    if "instances" not in document:
        if "inputs" not in document:
            raise BadTensorError("Missing 'inputs' or 'instances' key")
        return False
    wrong = _what_is_wrong_with_rows(document)
    if wrong:
        raise BadTensorError(f"JSON Value: {show(document)} {wrong}")
    return True


def _what_is_wrong_with_rows(document: Mapping[str, Any]) -> str:
    if "inputs" in document:
        return "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
    if not isinstance(document["instances"], list):
        return "Expecting 'instances' to be an list/array"
    return "" if document["instances"] else "No values in 'instances' array"


def read_instances(instances: list[Any], inputs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """Return the tensors of a request in row format with at least one row, by input name.

    Raises:
        BadTensorError: the rows differ in shape, or do not fit the inputs.
        BadJsonError: a number is too large, or a string cannot be encoded.
    """
    try:
        return {name: _to_tensor(values, inputs[name]) for name, values in _columns(instances, inputs).items()}
    except _NotATensorError:
        check_instances(instances, inputs)
        raise BadTensorError("Failed to process 'instances': the rows do not make up a tensor.") from None


def read_inputs(value: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """Return the tensors of a request in column format, by input name.

    Raises:
        BadTensorError: an input is missing, or not a tensor of its type.
        UnsupportedError: an input has a type that cannot be read from JSON.
        BadJsonError: a number is too large, or a string cannot be encoded.
    """
    try:
        values = value if isinstance(value, dict) and not is_base64(value) else _only(value, inputs)
        return {name: _to_tensor(_in(values, name), spec) for name, spec in inputs.items()}
    except _NotATensorError:
        check_inputs(value, inputs)
        raise BadTensorError("Failed to process 'inputs': the values do not make up a tensor.") from None


def rows_of(value: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, int]:
    """Return the length of each input that is a list, of a request in column format; nothing is checked."""
    values = value if isinstance(value, dict) else dict.fromkeys(inputs, value)
    return {name: len(each) for name, each in values.items() if isinstance(each, list)}


def refuse_texts_as_images(value: Any, signature: Signature) -> None:
    """Check the rows or columns of a request whose signature may be one of ours that takes images.

    Raises:
        BadTensorError: there is text where an image belongs; the model would only say that it is none.
    """
    if not takes_images(signature):
        return
    rows = value.get(IMAGE_INPUT) if isinstance(value, dict) else value
    for row in rows if isinstance(rows, list) else [rows]:
        given = row.get(IMAGE_INPUT) if isinstance(row, dict) else row
        if isinstance(given, str):
            raise BadTensorError(
                f"The input {IMAGE_INPUT} takes encoded images, and {given[:_SHOWN_CHARACTERS]!r} is text; send the "
                'base64 of an image as {"b64": "..."}.'
            )


def flatten(value: Any) -> Flat:
    """Return the shape and values of a JSON value; an empty list ends the shape.

    Raises:
        ValueError: the lists at one level differ in size.
    """
    shape: list[int] = []
    level = [value]
    while level and type(level[0]) is list:
        if set(map(type, level)) != {list} or len(sizes := set(map(len, level))) != 1:
            raise _NotATensorError
        shape.extend(sizes)
        level = list(chain.from_iterable(level))
    return Flat(tuple(shape), level)


def _only(value: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if len(inputs) != 1:
        raise _NotATensorError
    return {next(iter(inputs)): value}


def _in(values: dict[str, Any], name: str) -> Any:
    if name not in values:
        raise _NotATensorError
    return values[name]


def _columns(instances: list[Any], inputs: Mapping[str, TensorSpec]) -> dict[str, list[Any]]:
    """Return the values of each input, row by row."""
    first = instances[0]
    if not isinstance(first, dict) and len(inputs) > 1:
        raise _NotATensorError
    if not isinstance(first, dict) or is_base64(first):
        return {next(iter(inputs)): instances}
    names = inputs.keys()
    if set(map(type, instances)) != {dict} or any(row.keys() != names for row in instances):
        raise _NotATensorError
    return {name: [row[name] for row in instances] for name in names}


def _to_tensor(value: Any, spec: TensorSpec) -> Any:
    """Return a JSON value as a TensorProto, stored in the type's own field as TensorFlow Serving does."""
    shape, values = flatten(value)
    tensor = messages.TensorProto(dtype=spec.number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    if not values:
        return tensor
    dtype = READABLE.get(spec.dtype)
    if dtype is None:
        raise _NotATensorError
    try:
        checked, field = _checked(values, dtype), getattr(tensor, dtype.field)
        for start in range(0, len(checked), _VALUES_AT_ONCE):
            field.extend(checked[start : start + _VALUES_AT_ONCE])
    except ValueError as error:  # out of the field's range, or not base64
        raise _NotATensorError from error
    except OverflowError as error:  # a whole number too large for a float
        raise number_too_big() from error
    return tensor


def _checked(values: list[Any], dtype: JsonDtype) -> list[Any]:
    """Return the values as the type's field takes them."""
    if dtype.field == "string_val":
        return _to_bytes(values)
    if not dtype.accepted.issuperset(map(type, values)):
        raise _NotATensorError
    if dtype.field in _FLOATS:
        refuse_too_large(values)
    return values


def _to_bytes(values: list[Any]) -> list[bytes]:
    strings = []
    for value in values:
        if type(value) is str:
            strings.append(encode_text(value))
        elif is_base64(value):
            strings.append(decode_base64(value["b64"]))
        else:
            raise _NotATensorError
    return strings
