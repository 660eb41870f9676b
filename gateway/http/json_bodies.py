"""JSON bodies, limited in length and depth, for all protocols."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from contract.process.interpreter_turns import PIECE_BYTES, pieces
from gateway.errors import BadJsonError, BodyTooLargeError
from gateway.settings import Settings

_STRING_COST = 20
"""What a string counts in `max_json_value_bytes`: a key takes as long as 20 bytes of numbers."""

_BEGINNINGS_OF_VALUES = (b",", b"[", b"{", b":")
_MAX_DIGITS = 640  # Python takes 4300, which takes four times as long for each of them
_TOO_MANY_DIGITS = b"0" * (_MAX_DIGITS + 1)
_DIGITS = bytes(b"0"[0] if chr(byte) in "0123456789" else b" "[0] for byte in range(256))
_BRACKETS = b"[]{}"
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_OPENING = ord("[")
_PAIRS_REMOVED = 8
_UTF_8 = frozenset({"utf-8", "utf-8-sig"})
_INLINE_BYTES = 128 * 1024
"""So much takes a few milliseconds at most; a thread takes 0.1."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


async def off_loop(
    size: int, function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
) -> _Result:
    """Call a function that reads or writes `size` bytes: in a thread if they are many, so that others are served.

    It must hold Python's lock for no more than 50 ms at a time, which no thread can take from it.
    """
    if size <= _INLINE_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def read_json(body: bytes, settings: Settings) -> Any:
    """Return the value of a JSON body.

    Raises:
        BodyTooLargeError: it has more than `max_json_bytes`, or than `max_json_value_bytes` outside of strings.
        BadJsonError: it is not JSON in UTF-8, or is nested too deeply.
    """
    check_length(len(body), settings.max_json_bytes)
    if json.detect_encoding(body) not in _UTF_8:  # in another one, what is checked would not be what is parsed
        raise BadJsonError("The body is not JSON: it is not UTF-8.")
    check_structure(body, settings)
    try:
        return without_collection(json.loads, body)
    except UnicodeDecodeError:
        raise BadJsonError("The body is not JSON: it is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadJsonError(f"The body is not JSON: {error.msg.lower()} at character {error.pos}.") from None
    except ValueError:  # an integer of more digits than Python reads
        raise BadJsonError("The body cannot be read as JSON: a number has too many digits.") from None


def without_collection(parse: Callable[..., _Result], *args: Any) -> _Result:
    """Call a parser while Python does not look for garbage: a million lists take 60 ms then, and otherwise 400."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return parse(*args)
    finally:
        if enabled:
            gc.enable()


def check_length(length: int, most: int) -> None:
    """Reject a body that would take long to parse, because parsing blocks the event loop.

    Raises:
        BodyTooLargeError: `length` is more than `most` bytes.
    """
    if length > most:
        raise BodyTooLargeError(f"The JSON has {length} bytes; at most {most} are accepted (send images as files).")


def check_structure(body: bytes, settings: Settings) -> None:
    """Reject a body that has too many values or is nested too deeply, before a parser looks at it.

    Raises:
        BodyTooLargeError: it costs more than `max_json_value_bytes` outside of strings.
        BadJsonError: it is nested more deeply than `max_json_depth`, or a number has too many digits.
    """
    bare = _outside_strings(body, settings.max_json_value_bytes)
    if any(_TOO_MANY_DIGITS in each.translate(_DIGITS) for each in _overlapping(bare, _MAX_DIGITS)):
        raise BadJsonError(f"JSON Parse error: A number has too many digits; {_MAX_DIGITS} are accepted.")
    brackets = b"".join(each.translate(_SQUARE, _NO_BRACKETS) for each in pieces(bare))
    _check_depth(brackets, settings.max_json_depth)


def _overlapping(bare: bytes, more: int) -> Iterator[bytes]:
    """Yield pieces, each with so many bytes more of the next one."""
    for at in range(0, len(bare), PIECE_BYTES):
        yield bare[at : at + PIECE_BYTES + more]


def _check_depth(bare: bytes, max_depth: int) -> None:
    """Check square brackets: empty pairs are removed for as many levels as tensors usually have, the rest counted."""
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


def _outside_strings(body: bytes, most: int) -> bytes:
    """Return what is outside of strings, if it and the strings do not cost more than `most`.

    Raises:
        BodyTooLargeError: they do.
    """
    found: list[bytes] = []
    cost = 5 * sum(each.count(b"\\") for each in pieces(body))  # in fifths; as long as a one-digit number's byte
    at, inside = 0, False
    while at < len(body):
        quote = body.find(b'"', at)
        end = len(body) if quote < 0 else quote
        escaped = inside and _is_escaped(body, at, end)
        if not inside:
            piece = body[at:end]
            cost += _cost(piece)
            found.append(piece)
        if quote >= 0 and (escaped or not inside):
            cost += 5 * _STRING_COST
        if cost > 5 * most:
            raise BodyTooLargeError(
                f"The JSON has more numbers, lists, objects, keys and escapes than the {most} bytes of them that are "
                "accepted, as they take long to read; send images as files or in base64, and tensors as binary data."
            )
        inside = inside == escaped
        at = end + 1
    return b"".join(found)


def _cost(piece: bytes) -> int:
    """Return what JSON without strings costs, in fifths of a byte of one-digit numbers.

    A value takes as long as eight digits of a long number: `0,` counts 2 bytes, and a number of 20 digits 6.
    """
    return len(piece) + 8 * sum(sum(map(each.count, _BEGINNINGS_OF_VALUES)) for each in pieces(piece))


def _is_escaped(body: bytes, start: int, quote: int) -> bool:
    """Return whether an odd number of backslashes is before a quote, none of them before `start`."""
    if body[quote - 1 : quote] != b"\\":
        return False
    before = body[start:quote]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
