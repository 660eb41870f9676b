"""Converts input tensors from JSON and binary data to TensorProto; values must fit the declared type and shape."""

import math
import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from contract.serving_messages import TensorProto
from contract.signatures import IMAGE_INPUT
from gateway.backend.datatypes import BY_NAME, Datatype, name_of
from gateway.errors import BadTensorError
from gateway.http.base64_text import decode_image_text
from gateway.open_inference.requests import InputTensor
from gateway.predict.image_texts import may_be_image, takes_images
from gateway.predict.model_signatures import Signature
from gateway.predict.tensor_check import check_shape, short, spec_of

_LENGTH_PREFIX = struct.Struct("<I")
_SHOWN_CHARACTERS = 50
_SHOWN_IMAGE_CHARACTERS = 20
_BOOL_BYTES = b"\0\1"


def read_inputs(inputs: Sequence[InputTensor], binary: memoryview, signature: Signature) -> dict[str, Any]:
    """Return the inputs as TensorProto messages, by name.

    Raises:
        BadTensorError: an input is unknown, duplicate or not as the signature declares it, or its elements do not fit
            its datatype and shape.
    """
    tensors: dict[str, Any] = {}
    offset = 0
    for given in inputs:
        if given.name in tensors:
            raise BadTensorError(f"The input {short(given.name)} is given twice.")
        datatype = _check(given, signature)
        size = given.binary_data_size
        raw = None if size is None else binary[offset : offset + size]
        offset += size or 0
        if offset > len(binary):
            raise BadTensorError(
                f"The inputs up to {short(given.name)} declare {offset} bytes of binary data; {len(binary)} were sent."
            )
        is_image = given.name == IMAGE_INPUT and takes_images(signature)
        tensors[given.name] = _to_tensor(given, datatype, raw, _read_image if is_image else str.encode)
    if offset != len(binary):
        raise BadTensorError(f"The inputs declare {offset} bytes of binary data; {len(binary)} were sent.")
    return tensors


def _check(given: InputTensor, signature: Signature) -> Datatype:
    """Return the input's datatype; its name, datatype and shape must match the signature."""
    name, spec = short(given.name), spec_of(given.name, signature)
    wanted = name_of(spec.dtype)
    if wanted not in BY_NAME:
        raise BadTensorError(f"The input {name} has TensorFlow's type {wanted}, which this protocol does not have.")
    if given.datatype != wanted:
        raise BadTensorError(f"The input {name} must be {wanted}, not {given.datatype[:_SHOWN_CHARACTERS]}.")
    check_shape(given.name, given.shape, spec)
    return BY_NAME[wanted]


def _to_tensor(
    given: InputTensor, datatype: Datatype, raw: memoryview | None, read_text: Callable[[str], bytes]
) -> Any:
    if (raw is None) == (given.data is None):
        raise BadTensorError(f"The input {short(given.name)} needs either data or binary_data_size.")
    tensor = TensorProto(dtype=datatype.number)
    for size in given.shape:
        tensor.tensor_shape.dim.add(size=size)
    if raw is None:
        values = _flatten(given)
        _check_values(given, values, datatype)
        if datatype.name == "BYTES":
            tensor.string_val.extend(map(read_text, values))
        else:
            tensor.tensor_content = _pack(given, values, datatype)
    elif datatype.name == "BYTES":
        tensor.string_val.extend(_split(given, raw))
    else:
        tensor.tensor_content = _check_raw(given, raw.tobytes(), datatype)
    return tensor


def _read_image(text: str) -> bytes:
    """Return the image that a text stands for: bytes that are no UTF-8 cannot be in JSON in another way."""
    try:
        content = decode_image_text(text)
    except ValueError:
        content = b""
    if not may_be_image(content):
        raise BadTensorError(
            f"The input {IMAGE_INPUT} takes encoded images, and the text {text[:_SHOWN_IMAGE_CHARACTERS]!r} is not "
            "base64 of one; send base64 of a JPEG, PNG, BMP or WebP, or its bytes as binary data (binary_data_size)."
        )
    return content


def _flatten(given: InputTensor) -> list[Any]:
    """Return the elements in row-major order; nested lists must have the shape's sizes."""
    values = given.data or []
    if len(given.shape) < 2 or not values or not isinstance(values[0], list):
        return values
    level = [values]
    for size in given.shape:
        if not all(isinstance(part, list) and len(part) == size for part in level):
            raise BadTensorError(
                f"The data of the input {short(given.name)} is not nested like its shape {_shape(given.shape)}."
            )
        level = list(chain.from_iterable(level))
    return level


def _check_values(given: InputTensor, values: list[Any], datatype: Datatype) -> None:
    _check_count(given, len(values))
    wrong = set(map(type, values)) - datatype.json_types
    if wrong:
        first = next(value for value in values if type(value) in wrong)
        shown = "a list" if isinstance(first, list) else repr(first)[:_SHOWN_CHARACTERS]
        raise BadTensorError(f"The input {short(given.name)} must hold {datatype.name} values, not {shown}.")


def _check_count(given: InputTensor, count: int) -> None:
    if count != math.prod(given.shape):
        raise BadTensorError(
            f"The input {short(given.name)} has {count} elements; its shape {_shape(given.shape)} has room for "
            f"{math.prod(given.shape)}."
        )


def _pack(given: InputTensor, values: list[Any], datatype: Datatype) -> bytes:
    try:
        return datatype.pack(values)
    except (struct.error, OverflowError) as error:
        raise BadTensorError(f"The input {short(given.name)} has a value out of range for {datatype.name}.") from error


def _check_raw(given: InputTensor, raw: bytes, datatype: Datatype) -> bytes:
    expected = math.prod(given.shape) * datatype.size
    if len(raw) != expected:
        raise BadTensorError(
            f"The input {short(given.name)} has {len(raw)} bytes of binary data; its shape {_shape(given.shape)} "
            f"needs {expected}."
        )
    if datatype.name == "BOOL" and raw.translate(None, _BOOL_BYTES):
        raise BadTensorError(f"The input {short(given.name)} is BOOL and has a byte that is neither 0 nor 1.")
    return raw


def _split(given: InputTensor, raw: memoryview) -> list[bytes]:
    """Return the elements of a BYTES tensor: each is its length in four bytes, then that many bytes."""
    elements: list[bytes] = []
    room, offset = math.prod(given.shape), 0
    while offset < len(raw):
        if len(elements) == room:
            raise BadTensorError(
                f"The input {short(given.name)} has more elements than its shape {_shape(given.shape)} has room for."
            )
        start = offset + _LENGTH_PREFIX.size
        end = start + _LENGTH_PREFIX.unpack_from(raw, offset)[0] if start <= len(raw) else start
        if end > len(raw):
            raise BadTensorError(
                f"The element {len(elements)} of the input {short(given.name)} ends {end - len(raw)} bytes past the "
                "input's binary data; each element is its length in four bytes, little-endian, then its bytes."
            )
        elements.append(raw[start:end].tobytes())
        offset = end
    _check_count(given, len(elements))
    return elements


def _shape(shape: tuple[int, ...]) -> list[int]:
    return list(shape[:_SHOWN_CHARACTERS])
