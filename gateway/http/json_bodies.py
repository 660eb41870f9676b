"""JSON bodies, limited in length and depth, for all protocols."""

import json
import re
from typing import Any

from gateway.errors import BadJsonError, BodyTooLargeError
from gateway.settings import Settings

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = b"[]{}"
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_OPENING = ord("[")
_PAIRS_REMOVED = 8
_MOST = {b"{": (100_000, "objects"), b"[": (1_000_000, "lists"), b'"': (400_000, "quotation marks")}
"""Values that take many times the memory of their text in Python."""


def read_json(body: bytes, settings: Settings) -> Any:
    """Return the value of a JSON body.

    Raises:
        BodyTooLargeError: it has more than `max_json_bytes`.
        BadJsonError: it is not JSON in UTF-8, or is nested too deeply.
    """
    check_length(len(body), settings.max_json_bytes)
    check_depth(body, settings.max_json_depth)
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        raise BadJsonError("The body is not JSON: it is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadJsonError(f"The body is not JSON: {error.msg.lower()} at character {error.pos}.") from None
    except ValueError:  # an integer of more digits than Python reads
        raise BadJsonError("The body cannot be read as JSON: a number has too many digits.") from None


def check_length(length: int, most: int) -> None:
    """Reject a body that would take long to parse, because parsing blocks the event loop.

    Raises:
        BodyTooLargeError: `length` is more than `most` bytes.
    """
    if length > most:
        raise BodyTooLargeError(f"The JSON has {length} bytes; at most {most} are accepted (send images as files).")


def check_depth(body: bytes, max_depth: int) -> None:
    """Reject a body that is nested too deeply, before a parser recurses into it.

    Most bodies have fewer opening brackets than the limit, which a few searches show. In others, strings are removed,
    then empty pairs for as many levels as tensors usually have; the rest is counted.

    Raises:
        BadJsonError: it is nested more deeply than `max_depth`.
    """
    _check_counts(body)
    most = max_depth + 1
    if _count(body, b"[", most) + _count(body, b"{", most) <= max_depth:
        return
    bare = _STRING.sub(b"", body).translate(_SQUARE, _NO_BRACKETS)
    removed = 0
    while removed < _PAIRS_REMOVED and b"[]" in bare:
        bare = bare.replace(b"[]", b"")
        removed += 1
    depth = deepest = removed
    for mark in bare:
        depth += 1 if mark == _OPENING else -1
        deepest = max(depth, deepest)
        if deepest > max_depth:
            break
    if deepest > max_depth:
        raise BadJsonError(f"JSON Parse error: The body is nested deeper than the {max_depth} levels accepted here.")


def _check_counts(body: bytes) -> None:
    """Reject a body with so many small values that they would not fit into the memory that is held for it."""
    for mark, (most, name) in _MOST.items():
        if len(body) > most and (found := body.count(mark)) > most:
            raise BadJsonError(f"The JSON has {found} {name}; at most {most} are accepted.")


def _count(body: bytes, mark: bytes, most: int) -> int:
    """Return how often a mark occurs, at most `most`; faster than `count`, as it skips base64 and stops early."""
    found, at = 0, body.find(mark)
    while at >= 0 and found < most:
        found += 1
        at = body.find(mark, at + 1)
    return found
