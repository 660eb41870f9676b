"""The element types that TensorFlow Serving reads from JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.tensorflow.json_values import Infinite


@dataclass(frozen=True, slots=True)
class JsonDtype:
    """One element type: its field in a TensorProto, the Python types of its values and their bounds.

    Types of 8 and 16 bits have the bounds of an int32, as in TensorFlow Serving, where such values wrap around.
    """

    field: str
    accepted: frozenset[type]
    bounds: tuple[int, int] | None = None

    def accepts(self, value: Any) -> bool:
        """Return whether a parsed JSON value is of this type; objects and lists are not."""
        if type(value) not in self.accepted:
            return False
        return self.bounds is None or self.bounds[0] <= value <= self.bounds[1]


def _integer(field: str, lowest: int, highest: int) -> JsonDtype:
    return JsonDtype(field, frozenset({int}), (lowest, highest))


def _dtype(field: str, *accepted: type) -> JsonDtype:
    return JsonDtype(field, frozenset(accepted))


_INT32 = (-(2**31), 2**31 - 1)

READABLE: Mapping[str, JsonDtype] = {
    "FLOAT": _dtype("float_val", int, float, Infinite),
    "DOUBLE": _dtype("double_val", int, float, Infinite),
    "INT8": _integer("int_val", *_INT32),
    "INT16": _integer("int_val", *_INT32),
    "INT32": _integer("int_val", *_INT32),
    "UINT8": _integer("int_val", *_INT32),
    "INT64": _integer("int64_val", -(2**63), 2**63 - 1),
    "UINT32": _integer("uint32_val", 0, 2**32 - 1),
    "UINT64": _integer("uint64_val", 0, 2**64 - 1),
    "BOOL": _dtype("bool_val", bool),
    "STRING": _dtype("string_val", str),
}
"""By TensorFlow's name without its prefix; other types are rejected with 501, as by TensorFlow Serving."""


def is_base64(value: Any) -> bool:
    """Return whether a JSON value stands for bytes: an object with the single key `b64` and a string."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str
