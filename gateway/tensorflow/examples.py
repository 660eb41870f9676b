"""Converts the JSON of classify and regress requests to `tf.Example` messages."""

from typing import Any

from gateway.errors import BadTensorError
from gateway.http.base64_text import decode_base64
from gateway.predict.row_limit import too_many_rows
from gateway.tensorflow.dtypes import is_base64
from gateway.tensorflow.json_values import (
    RepeatedKeys,
    encode_text,
    number_too_big,
    refuse_too_large,
    show,
    type_name,
)

_INTEGERS, _FLOATS, _BYTES = "int64_list", "float_list", "bytes_list"
_KIND_NAMES = {_INTEGERS: "int64", _FLOATS: "float", _BYTES: "bytes"}
_VALUES_AT_ONCE = 50_000  # a few milliseconds, for which Python's lock is held
_LOWEST, _HIGHEST, _HIGHEST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1


def read_examples(document: dict[str, Any], request: Any, most: int) -> None:
    """Put the examples of a document, from one to `most`, and their context into a classify or regress request.

    Raises:
        TooManyImagesError: there are more.
        BadTensorError: there are none, or one is not an example.
        BadJsonError: a number is too large, or a string cannot be encoded.
    """
    target = request.input.example_list
    if "context" in document:
        target = request.input.example_list_with_context
        _fill(target.context, document["context"])
    examples = _examples_of(document)
    if len(examples) > most:
        raise too_many_rows("'examples'", len(examples), most)
    for example in examples:
        _fill(target.examples.add(), example)


def _examples_of(document: dict[str, Any]) -> list[Any]:
    if "examples" not in document:
        raise BadTensorError(
            f"JSON Value: {show(document)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise BadTensorError(f"JSON Value: {show(document)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise BadTensorError(f"JSON Value: {show(document)} 'examples' value is an empty array")
    return examples


def _fill(example: Any, values: Any) -> None:
    """Put the features of a JSON object into a `tf.Example`."""
    if not isinstance(values, dict):
        raise BadTensorError(f"Example must be JSON object but got JSON {type_name(values)}")
    if isinstance(values, RepeatedKeys):
        values = values.last
    for name, content in values.items():
        _fill_feature(example.features.feature[_writable(name)], name, content)


def _fill_feature(feature: Any, name: str, content: Any) -> None:
    """Put the values of one feature into its message; all must be of the same kind as the first one."""
    values = content if isinstance(content, list) else [content]
    if _is_of_integers(values):
        for start in range(0, len(values), _VALUES_AT_ONCE):
            feature.int64_list.value.extend(values[start : start + _VALUES_AT_ONCE])
        return
    kinds = [_kind_of(value, name) for value in values]
    for kind in kinds:
        if kind != kinds[0]:
            raise BadTensorError(f"Unexpected element type in feature: {name} expecting type: {_KIND_NAMES[kinds[0]]}")
    if not values:
        return
    if kinds[0] == _FLOATS:
        refuse_too_large(values)
    try:
        getattr(feature, kinds[0]).value.extend([_to_value(value, kinds[0]) for value in values])
    except OverflowError as error:
        raise number_too_big() from error


def _is_of_integers(values: list[Any]) -> bool:
    """Return whether all values are int64; most long lists are of one type, and need no look at each value."""
    return set(map(type, values)) == {int} and min(values) >= _LOWEST and max(values) <= _HIGHEST


def _kind_of(value: Any, name: str) -> str:
    if isinstance(value, str) or is_base64(value):
        return _BYTES
    if value is None or isinstance(value, dict | list):
        raise BadTensorError(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")
    if isinstance(value, float) or not _LOWEST <= value <= _HIGHEST_UNSIGNED:
        return _FLOATS  # also a whole number that does not fit 64 bits
    if value > _HIGHEST:
        raise BadTensorError(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return _INTEGERS


def _to_value(value: Any, kind: str) -> Any:
    if kind == _BYTES:
        return encode_text(value) if isinstance(value, str) else _decode(value["b64"])
    return float(value) if kind == _FLOATS else int(value)


def _decode(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise BadTensorError("Unable to base64 decode") from error


def _writable(name: str) -> str:
    """Return a name as valid UTF-8, which a message requires."""
    encode_text(name)
    return name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
