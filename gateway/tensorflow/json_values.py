"""JSON as TensorFlow Serving reads it: with NaN and infinities, and ignoring what follows the first value.

Python's own parser is used: of the parsers measured (64 images of 30 KB in base64: 9 ms; python-rapidjson: 26 ms) it
is the one that also reads NaN, whole numbers of any size and strings that are not UTF-8.
"""

import codecs
import json
import math
import re
from typing import Any

from gateway.errors import BadJsonError
from gateway.http.json_bodies import check_structure, without_collection
from gateway.settings import Settings

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITE_SPACE = re.compile(r"[ \t\n\r]*")
_DECODED_AT_ONCE = 1 << 20  # of what is not UTF-8, a megabyte takes 10 ms, for which Python's lock is held
_SHOWN_CHARACTERS = 200
_SHOWN_PIECES = 100
_SHOWN_LEVELS = 8


class RepeatedKeys(dict[str, Any]):
    """An object with a repeated key: the first value counts, but in an Example the last one does."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.last = dict(pairs)
        self.count = len(pairs)


class Infinite(float):
    """A number written as `Infinity`; any other infinite float was too large for float64."""

    __slots__ = ()


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedKeys(pairs)


_CONSTANTS = {"NaN": math.nan, "Infinity": Infinite("inf"), "-Infinity": Infinite("-inf")}
_DECODER = json.JSONDecoder(object_pairs_hook=_to_object, parse_constant=_CONSTANTS.__getitem__)


def read_document(body: bytes, settings: Settings) -> dict[str, Any]:
    """Return the object at the start of a body; bytes that are not UTF-8 become surrogates, see `encode_text`.

    Raises:
        BadJsonError: it does not start with an object, or is nested too deeply.
        BodyTooLargeError: it has too many values.
    """
    if not body:
        raise BadJsonError("JSON Parse error: The document is empty")
    check_structure(body, settings)
    text = _decode(body.removeprefix(_BYTE_ORDER_MARK))
    document = _parse(text)
    if not isinstance(document, dict):
        raise BadJsonError(f"JSON Value: {show(document)} Is not object")
    return document


def encode_text(text: str) -> bytes:
    """Return a string of a document as the bytes it had in the body.

    Raises:
        BadJsonError: an escape in it is half of a surrogate pair.
    """
    pieces = (text[at : at + _DECODED_AT_ONCE] for at in range(0, len(text), _DECODED_AT_ONCE))
    try:
        return b"".join(piece.encode("utf-8", errors="surrogateescape") for piece in pieces)
    except UnicodeEncodeError as error:
        raise BadJsonError("JSON Parse error: The surrogate pair in string is invalid.") from error


def refuse_too_large(values: list[Any]) -> None:
    """Reject numbers that Python's parser read as infinite, unless they were written as `Infinity`.

    Raises:
        BadJsonError: there is one.
    """
    if (math.inf in values or -math.inf in values) and any(
        type(value) is float and math.isinf(value) for value in values
    ):
        raise number_too_big()


def number_too_big() -> BadJsonError:
    """Return the error for a number too large for a float64."""
    return BadJsonError("JSON Parse error: Number too big to be stored in double.")


def show(value: Any) -> str:
    """Return a value as JSON for an error message, truncated if it is long."""
    pieces = zip(range(_SHOWN_PIECES), json.JSONEncoder(ensure_ascii=False).iterencode(_cut(value)), strict=False)
    text = "".join(piece for _, piece in pieces)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def type_name(value: Any) -> str:
    """Return RapidJSON's name for the type of a value; RapidJSON is TensorFlow Serving's parser."""
    if value is None or isinstance(value, bool):
        return "Null" if value is None else str(value)
    if isinstance(value, str):
        return "String"
    if isinstance(value, list):
        return "Array"
    return "Object" if isinstance(value, dict) else "Number"


def _decode(body: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    pieces = (body[at : at + _DECODED_AT_ONCE] for at in range(0, len(body), _DECODED_AT_ONCE))
    return "".join([*map(decoder.decode, pieces), decoder.decode(b"", final=True)])


def _parse(text: str) -> Any:
    start = _skip_white_space(text)
    if start == len(text):
        raise BadJsonError(f"JSON Parse error: The document is empty. at offset: {start}")
    try:
        return without_collection(_DECODER.raw_decode, text, start)[0]
    except json.JSONDecodeError as error:
        raise BadJsonError(f"JSON Parse error: {error.msg}. at offset: {error.pos}") from error
    except RecursionError as error:
        raise BadJsonError("JSON Parse error: The body is nested too deeply.") from error
    except ValueError as error:  # a whole number of more digits than Python reads
        raise number_too_big() from error


def _skip_white_space(text: str) -> int:
    found = _WHITE_SPACE.match(text)
    return found.end() if found else 0


def _cut(value: Any, levels: int = _SHOWN_LEVELS) -> Any:
    """Return a value without its deep levels, long strings truncated."""
    if isinstance(value, str):
        return value[: _SHOWN_CHARACTERS + 1]
    if isinstance(value, dict | list) and levels == 0:
        return "…"
    if isinstance(value, dict):
        return {key[:_SHOWN_CHARACTERS]: _cut(inner, levels - 1) for key, inner in list(value.items())[:_SHOWN_PIECES]}
    return [_cut(inner, levels - 1) for inner in value[:_SHOWN_PIECES]] if isinstance(value, list) else value
