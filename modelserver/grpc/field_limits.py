"""The fields of a request, counted on the wire before protobuf makes objects of them.

An empty string or message is two bytes on the wire and up to a hundred in memory, a packed integer one byte and eight:
28 MB of empty strings in two requests took 23 GB on their way to the graph. The format is that of "Encoding" in
protobuf's documentation. What is not of that format is refused as protobuf would: were it left to protobuf, anything
that protobuf reads all the same would not be counted.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from contract.serving_messages import TensorProto
from modelserver.errors import BadInputError

MAX_FIELDS = 65_536
"""In one request. An image is one field, and so are packed numbers, however many they are."""
MAX_STRAY_INTEGERS = 2**20
"""Packed integers in one request that are in no tensor, or that the tensor's shape has no room for."""
_MAX_DEPTH = 50

_VARINT, _BYTES, _GROUP, _END_OF_GROUP = 0, 2, 3, 4
_SIZES = {1: 8, 5: 4}
"""Bytes behind a tag by its wire type: 64 bits, 32 bits."""
_VARINT_BYTES = 10
_TENSOR = TensorProto.DESCRIPTOR
_SHAPE = _TENSOR.fields_by_name["tensor_shape"].number
_INTEGERS = {
    getattr(FieldDescriptor, f"CPPTYPE_{name}") for name in ["INT32", "INT64", "UINT32", "UINT64", "BOOL", "ENUM"]
}


def check_fields(content: bytes, message_class: Any) -> None:
    """Refuse a serialized message that would take much more memory than its bytes do.

    Linear in the number of fields; ends at the first one that is too many.

    Raises:
        BadInputError: it has more than `MAX_FIELDS` fields, or more integers than there is room for.
        DecodeError: it ends or goes on where no message does.
    """
    _Counting(content).walk(0, len(content), message_class.DESCRIPTOR, 0)


class _Counting:
    """What was counted in one request so far."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._fields = 0
        self._stray_integers = 0

    def walk(self, at: int, end: int, kind: Any, depth: int) -> None:
        """Count the fields of the message of this descriptor that lies in [at, end), and those of messages in it."""
        if depth > _MAX_DEPTH:
            raise BadInputError(f"The request has messages within messages more than {_MAX_DEPTH} deep.")
        messages, integers = _fields_of(kind)
        shapes, packed = b"", 0
        for number, start, stop in self._texts(at, end):
            if number in messages:
                self.walk(start, stop, messages[number], depth + 1)
                if kind is _TENSOR and number == _SHAPE:
                    shapes += self._content[start:stop]  # of several, the dimensions are put one behind the other
            elif number in integers:
                packed += _integers(self._content[start:stop])
        if packed:
            self._count_integers(packed, shapes)

    def _texts(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Count all fields in [at, end), and yield number, start and end of those that are strings or messages.

        What is in a group is only counted: no message here has one, and protobuf does not look at it either.
        """
        groups: list[int] = []
        while at < end:
            tag, at = self._varint(at, end)
            number, wire_type = tag >> 3, tag & 7
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise BadInputError(
                    f"The request has more than {MAX_FIELDS} fields (values, strings or messages); send fewer rows."
                )
            if wire_type == _GROUP:
                groups.append(number)
            elif wire_type == _END_OF_GROUP:
                if not groups or groups.pop() != number:
                    raise _not_a_message()
            else:
                start, at = self._content_of(wire_type, at, end)
                if wire_type == _BYTES and not groups:
                    yield number, start, at
        if groups:
            raise _not_a_message()

    def _content_of(self, wire_type: int, at: int, end: int) -> tuple[int, int]:
        """Return where the content of a field begins and ends, which begins at `at` with its length if it has one."""
        start, stop = at, at + _SIZES.get(wire_type, 0)
        if wire_type == _VARINT:
            stop = self._varint(at, end)[1]
        elif wire_type == _BYTES:
            length, start = self._varint(at, end)
            stop = start + length
        elif wire_type not in _SIZES:
            raise _not_a_message()
        if stop > end:
            raise _not_a_message()
        return start, stop

    def _count_integers(self, packed: int, shapes: bytes) -> None:
        """Add those that a tensor of these shapes has no room for; outside of tensors there is no shape."""
        self._stray_integers += max(packed - (_elements(shapes) if shapes else 0), 0)
        if self._stray_integers > MAX_STRAY_INTEGERS:
            raise BadInputError(
                f"The request has {self._stray_integers} integers more than the shapes of its tensors have room for; "
                f"at most {MAX_STRAY_INTEGERS} are read."
            )

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """Return the number at `at` and where the next field begins; it is refused where it has no end."""
        content = self._content
        value = shift = 0
        for position in range(at, min(at + _VARINT_BYTES, end)):
            byte = content[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position + 1
            shift += 7
        raise _not_a_message()


def _not_a_message() -> DecodeError:
    return DecodeError("The bytes end or go on where no message does.")


@functools.cache
def _fields_of(kind: Any) -> tuple[Mapping[int, Any], frozenset[int]]:
    """Return the descriptors of a message's messages by field number, and the numbers of its repeated integers."""
    messages = {field.number: field.message_type for field in kind.fields if field.message_type is not None}
    integers = (field.number for field in kind.fields if field.is_repeated and field.cpp_type in _INTEGERS)
    return messages, frozenset(integers)


def _integers(packed: bytes) -> int:
    """Return how many numbers are packed; each ends with a byte below 128."""
    return int(np.count_nonzero(np.frombuffer(packed, np.uint8) < 0x80))


def _elements(shapes: bytes) -> int:
    shape = type(TensorProto().tensor_shape).FromString(shapes)
    return math.prod(max(dim.size, 0) for dim in shape.dim)
