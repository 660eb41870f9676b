"""Classify and regress: JSON to examples, scores and labels to JSON."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import serving_messages as messages
from gateway.errors import BadJsonError, BadTensorError
from gateway.settings import Settings
from gateway.tensorflow.examples import read_examples
from gateway.tensorflow.json_values import read_document
from gateway.tensorflow.outputs import write_classes, write_values

_FEATURES = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    st.lists(st.floats(width=32, allow_nan=False), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
)
_EXAMPLES = st.dictionaries(st.text(max_size=3), _FEATURES, max_size=3)


def _read(text: str) -> Any:
    request = messages.ClassificationRequest()
    read_examples(read_document(text.encode(), Settings(models=("any",))), request, 64)
    return request.input


def _values(feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    values = [] if kind is None else list(getattr(feature, kind).value)
    return [value.decode() if isinstance(value, bytes) else value for value in values]


@settings(deadline=None, max_examples=50)
@given(st.lists(_EXAMPLES, min_size=1, max_size=3), st.none() | _EXAMPLES)
def test_features_keep_their_kind_and_values(
    examples: list[dict[str, list[Any]]], context: dict[str, list[Any]] | None
) -> None:
    """Whole numbers, floats and strings become features of their kind, with a context or without."""
    document: dict[str, Any] = {"examples": examples} if context is None else {"context": context, "examples": examples}
    read = _read(json.dumps(document))
    found = read.example_list if context is None else read.example_list_with_context
    for example, expected in zip(found.examples, examples, strict=True):
        seen = {name: _values(feature) for name, feature in example.features.feature.items()}
        assert seen == expected
    if context is not None:
        assert {name: _values(feature) for name, feature in found.context.features.feature.items()} == context


@pytest.mark.parametrize(
    ("value", "kind", "seen"),
    [
        ("7", "int64_list", [7]),
        ("true", "int64_list", [1]),
        ("7.0", "float_list", [7.0]),
        ("1" + "0" * 30, "float_list", [1e30]),
        ('"a"', "bytes_list", ["a"]),
        ('{"b64": "em/Dqw"}', "bytes_list", ["zoë"]),
        ('["a", {"b64": "Yg=="}]', "bytes_list", ["a", "b"]),
        ("[]", None, []),
    ],
)
def test_kinds(value: str, kind: str | None, seen: list[Any]) -> None:
    """The kind of a feature follows from its values; a single one needs no list."""
    feature = _read(f'{{"examples": [{{"x": {value}}}]}}').example_list.examples[0].features.feature["x"]
    assert feature.WhichOneof("kind") == kind
    assert [pytest.approx(value) for value in _values(feature)] == seen


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": {}}', "Expecting 'examples' value to be an list/array"),
        ('{"instances": []}', "key 'examples' is expected and was not found"),
        ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
        ('{"context": [], "examples": [{}]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"x": [1.5, 2]}]}', "Unexpected element type in feature: x expecting type: float"),
        ('{"examples": [{"x": [1, "a"]}]}', "Unexpected element type in feature: x expecting type: int64"),
        ('{"examples": [{"x": null}]}', "Feature: x has element with unexpected JSON type: Null"),
        ('{"examples": [{"x": {"a": 1}}]}', "Feature: x has element with unexpected JSON type: Object"),
        ('{"examples": [{"x": [[1]]}]}', "Feature: x has element with unexpected JSON type: Array"),
        ('{"examples": [{"x": 9223372036854775808}]}', "Feature: x has uint64_t element. Only int64_t is supported."),
        ('{"examples": [{"x": {"b64": "%%"}}]}', "Unable to base64 decode"),
    ],
)
def test_what_is_no_example_is_refused(document: str, reason: str) -> None:
    """Refusals have the words that clients of the real server know."""
    with pytest.raises(BadTensorError) as caught:
        _read(document)
    assert str(caught.value).endswith(reason)


@pytest.mark.parametrize("value", ["1e400", "1" * 400, '"\\ud800"'])
def test_what_no_feature_can_hold_is_refused(value: str) -> None:
    """Numbers that are too large and halves of surrogate pairs are refused."""
    with pytest.raises(BadJsonError):
        _read(
            f'{{"examples": [{{"x": [0.5, {value}]}}]}}' if value[0] == "1" else f'{{"examples": [{{"x": {value}}}]}}'
        )


def test_a_repeated_feature_has_its_last_value() -> None:
    """Of several features of a name the last one counts."""
    features = _read('{"examples": [{"x": 1, "x": 2}]}').example_list.examples[0].features.feature
    assert _values(features["x"]) == [2]


def test_results_are_written() -> None:
    """Labels stand beside their scores, values alone; strings are escaped."""
    classes = messages.ClassificationResponse()
    row = classes.result.classifications.add()
    row.classes.add(label='a"ë', score=0.1)
    row.classes.add(score=float("nan"))
    assert write_classes(classes.result).decode() == '{"results": [[["a\\"ë", 0.1], ["", NaN]]]}'
    values = messages.RegressionResponse()
    values.result.regressions.add(value=2)
    assert write_values(values.result) == b'{"results": [2.0]}'
