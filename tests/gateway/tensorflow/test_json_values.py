"""JSON as TensorFlow Serving reads it."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadJsonError
from gateway.http.json_bodies import check_structure
from gateway.settings import Settings
from gateway.tensorflow.json_values import RepeatedKeys, encode_text, read_document, show

_SETTINGS = Settings(models=("any",), max_json_depth=64)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)

_FEW = settings(deadline=None, max_examples=50)


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def _same(seen: Any, expected: Any) -> bool:
    return repr(seen) == repr(expected) or json.dumps(seen) == json.dumps(expected)


@_FEW
@given(st.dictionaries(st.text(max_size=3), _VALUES, max_size=3))
def test_documents_are_read_as_they_were_written(document: dict[str, Any]) -> None:
    """Any object, with numbers of any size, NaN and infinities, is read as Python wrote it."""
    assert _same(read_document(json.dumps(document).encode(), Settings(models=("any",), max_json_depth=500)), document)


@_FEW
@given(_VALUES, st.integers(1, 6))
def test_depth_is_counted_exactly(value: Any, limit: int) -> None:
    """A body is refused if and only if it is nested more deeply than allowed; brackets in strings do not count."""
    body = json.dumps([value, '[[[[{{{{\\"'], ensure_ascii=False).encode("utf-8", "surrogatepass")
    if _depth([value]) <= limit:
        check_structure(body, Settings(models=("any",), max_json_depth=limit))
    else:
        with pytest.raises(BadJsonError, match="nested deeper"):
            check_structure(body, Settings(models=("any",), max_json_depth=limit))


def test_closed_depths_are_counted() -> None:
    """A body that closes all that it opens is refused at one level more than allowed, deep lists beside flat ones."""
    bodies = [b"[" * depth + b"]" * depth for depth in (20, 21)]
    check_structure(b"[" + b"[[]]," * 100 + bodies[0][1:], Settings(models=("any",), max_json_depth=20))
    objects = b'{"a":' * 21 + b"0" + b"}" * 21
    for body in (bodies[1], b"[" + b"{}" * 100 + bodies[0] + b"[]]", objects):
        with pytest.raises(BadJsonError, match="nested deeper"):
            check_structure(body, Settings(models=("any",), max_json_depth=20))


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":[' * 30_000, b"[[[[]]]]" * 20 + b"[" * 70, b'{"a":"[' + b"[" * 99]
)
def test_deep_or_broken_bodies_are_refused_in_time(body: bytes) -> None:
    """What is nested too deeply, or never closed, is an ordinary refusal."""
    with pytest.raises(BadJsonError):
        read_document(body, _SETTINGS)


@_FEW
@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    """Whatever is sent, it is either an object or a refusal."""
    with contextlib.suppress(BadJsonError):
        assert isinstance(read_document(body, _SETTINGS), dict)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": 1} x', {"a": 1}),
        (b'{"a": 1}{"a": 2}', {"a": 1}),
        (b'{"a": 1}\x00garbage', {"a": 1}),
        (b"\xef\xbb\xbf \r\n\t{}", {}),
        (b'{"in\\u0061": [1]}', {"ina": [1]}),
    ],
)
def test_what_follows_the_first_value_is_passed_over(body: bytes, document: dict[str, Any]) -> None:
    """A byte order mark, white space before and anything after the document do not matter."""
    assert read_document(body, _SETTINGS) == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"5",
        b"[1]",
        b'{"a": 01}',
        b'{"a": .5}',
        b'{"a": 5.}',
        b'{"a": +1}',
        b'{"a": nan}',
        b'{"a": 1,}',
        b"{a: 1}",
        b'{"a": "b\tc"}',
        b'{"a" 1}',
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """The recorded server's refusals are refusals here."""
    with pytest.raises(BadJsonError, match=r"^JSON (Parse error|Value): "):
        read_document(body, _SETTINGS)


def test_of_repeated_keys_the_first_counts() -> None:
    """The first of several values of a key is found, and the last one is kept for examples."""
    document = read_document(b'{"a": 1, "b": 2, "a": 3}', _SETTINGS)
    assert isinstance(document, RepeatedKeys)
    assert (document["a"], document.last["a"], document["b"]) == (1, 3, 2)


def test_strings_that_are_not_utf_8_keep_their_bytes() -> None:
    """Bytes of a string come out as they came in."""
    assert encode_text(read_document(b'{"a": "\xff\xfe\xc3\xa8"}', _SETTINGS)["a"]) == b"\xff\xfe\xc3\xa8"


def test_half_a_surrogate_pair_is_refused() -> None:
    """An escape that stands for no character is no text."""
    with pytest.raises(BadJsonError, match="surrogate"):
        encode_text(read_document(b'{"a": "\\ud800"}', _SETTINGS)["a"])


@_FEW
@given(_VALUES)
def test_shown_values_are_short(value: Any) -> None:
    """What an error shows of a value is bounded, and is the value where it is small."""
    shown = show(value)
    assert len(shown) <= 201
    if len(json.dumps(value, ensure_ascii=False)) <= 200 and _depth(value) < 8:
        assert shown == json.dumps(value, ensure_ascii=False)


def test_values_of_any_size_and_depth_are_shown() -> None:
    """Neither a string of megabytes nor a deep list fills a message."""
    deep: Any = math.inf
    for _ in range(400):
        deep = [deep]
    assert len(show({"a": "x" * 10_000_000, "b": deep})) == 201
    assert "…" in show(deep)
