"""TensorFlow Serving's messages for JSON that does not hold the tensors a model takes.

Used only after a conversion failed: it checks one element after the other, in TensorFlow Serving's order.
"""

from collections.abc import Mapping
from typing import Any

from gateway.errors import BadTensorError, UnsupportedError
from gateway.http.base64_text import decode_base64
from gateway.predict.model_signatures import TensorSpec
from gateway.tensorflow.dtypes import READABLE, is_base64
from gateway.tensorflow.json_values import show, type_name

_Rejection = (BadTensorError, UnsupportedError)
_Shape = tuple[int, ...]

_NEEDS_OBJECTS = "is a plain {}, but expecting {} as multiple input tensors required as per tensorinfo_map"


def check_instances(instances: list[Any], inputs: Mapping[str, TensorSpec]) -> None:
    """Raise the error of a list of rows, at least one.

    Raises:
        BadTensorError: a row does not fit the inputs, or differs from the rows before it.
    """
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise BadTensorError("instances " + _NEEDS_OBJECTS.format("list", "list of objects"))
    named = _is_named(instances[0])
    seen: dict[str, _Shape] = {}
    for number, row in enumerate(instances):
        if named != _is_named(row):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise BadTensorError(f"Expecting {expected} but got {got} at item {number} of input list")
        if named:
            _check_named_row(number, row, inputs, seen)
        else:
            _check_item(f"{number}", row, next(iter(inputs)), inputs, seen)


def check_inputs(value: Any, inputs: Mapping[str, TensorSpec]) -> None:
    """Raise the error of inputs in column format.

    Raises:
        BadTensorError: one is missing, or not a tensor of its type.
        UnsupportedError: one has a type that cannot be read from JSON.
    """
    if not _is_named(value):
        if len(inputs) > 1:
            raise BadTensorError("inputs " + _NEEDS_OBJECTS.format("value/list", "an object"))
        _check_tensor(value, next(iter(inputs.values())).dtype)
        return
    for name, spec in inputs.items():
        if name not in value:
            raise BadTensorError(f"Missing named input: {name} in 'inputs' object.")
        _check_tensor(value[name], spec.dtype)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _check_named_row(
    number: int, row: dict[str, Any], inputs: Mapping[str, TensorSpec], seen: dict[str, _Shape]
) -> None:
    for name, item in row.items():
        _check_item(f"{number} key: {name}", item, name, inputs, seen)
    if row.keys() != inputs.keys():
        raise BadTensorError(
            f"Failed to process element: {number} of 'instances' list. JSON object: {show(row)} keys must be equal to: "
            + ",".join(sorted(inputs))
        )


def _check_item(where: str, item: Any, name: str, inputs: Mapping[str, TensorSpec], seen: dict[str, _Shape]) -> None:
    """Check the value of one input in one row; `seen` has the shapes of the first row."""
    try:
        if name not in inputs:
            raise BadTensorError(f"JSON object: does not have named input: {name}")
        count, shape = _check_tensor(item, inputs[name].dtype), _shape_of(item)
        expected = seen.setdefault(name, shape)
        if _size(expected) != count:
            raise BadTensorError(f"Expecting tensor size: {_size(expected)} but got: {count}")
        if expected != shape:
            raise BadTensorError(f"Expecting shape {_show_shape(expected)} but got: {_show_shape(shape)}")
    except _Rejection as error:
        code = "UNIMPLEMENTED" if isinstance(error, UnsupportedError) else "INVALID_ARGUMENT"
        raise BadTensorError(
            f"Failed to process element: {where} of 'instances' list. Error: {code}: {error}"
        ) from error


def _check_tensor(value: Any, dtype: str) -> int:
    """Check all values against the shape of the first elements; return how many there are."""
    return _check_level(value, 0, _shape_of(value), dtype)


def _check_level(value: Any, level: int, shape: _Shape, dtype: str) -> int:
    if not isinstance(value, list):
        if level != len(shape):
            raise BadTensorError(
                f"JSON Value: {show(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        _check_element(value, dtype)
        return 1
    if level >= len(shape):
        raise BadTensorError(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise BadTensorError(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    count = 0
    for inner in value:
        count += _check_level(inner, level + 1, shape, dtype)
    return count


def _check_element(value: Any, dtype: str) -> None:
    name, readable = dtype.lower(), READABLE.get(dtype)
    if isinstance(value, dict) and dtype == "STRING":
        _check_base64(value)
    elif readable is None and not isinstance(value, dict):
        raise UnsupportedError(f"Conversion of JSON Value: {show(value)} to type: {name}")
    elif readable is None or not readable.accepts(value):
        raise BadTensorError(f"JSON Value: {show(value)} Type: {type_name(value)} is not of expected type: {name}")


def _check_base64(value: dict[str, Any]) -> None:
    if not is_base64(value):
        raise BadTensorError(f"JSON Value: {show(value)} not formatted correctly for base64 data")
    try:
        decode_base64(value["b64"])
    except ValueError as error:
        raise BadTensorError("Unable to base64 decode") from error


def _shape_of(value: Any) -> _Shape:
    """Return the shape along the first elements."""
    sizes: list[int] = []
    while isinstance(value, list):
        sizes.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(sizes)


def _size(shape: _Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _show_shape(shape: _Shape) -> str:
    return f"[{','.join(map(str, shape))}]"
