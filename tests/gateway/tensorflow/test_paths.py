"""What targets of TensorFlow Serving's REST API mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadParameterError, MalformedTargetError
from gateway.tensorflow.paths import Target, has_broken_escape, read_target


@pytest.mark.parametrize(
    ("method", "target", "meaning"),
    [
        ("POST", "/v1/models/a:predict", Target("a", "predict")),
        ("POST", "/V1/MODELS/a:classify", Target("a", "classify")),
        ("POST", "/v1/models/a/VERSIONS/007:regress", Target("a", "regress", version=7)),
        ("POST", "/v1/models/a/labels/b%20c:predict", Target("a", "predict", label="b c")),
        ("POST", "/v1/models/a?b:predict", Target("a?b", "predict")),
        ("GET", "/v1/models/mod%c3%a8le", Target("modèle", "status")),
        ("GET", "/v1/models/a/versions/0", Target("a", "status", version=0)),
        ("GET", "/v1/models/a/metadata", Target("a", "metadata")),
        ("GET", "/v1/models/a/METADATA", Target("a", "status")),
        ("GET", "/v1/models/metadata", Target("metadata", "status")),
        ("GET", "/v1/models/per%2520cent#x", Target("per%20cent#x", "status")),
    ],
)
def test_meanings(method: str, target: str, meaning: Target) -> None:
    """Every form of a target is understood as the real server understands it."""
    assert read_target(method, target) == meaning


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/models/a:PREDICT"),
        ("POST", "/v1/models/a:predict?alt=json"),
        ("POST", "/v1/models/a"),
        ("POST", "/v1/models/a/metadata"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/a/b:predict"),
        ("POST", "/v1/models/a/versions/-1:predict"),
        ("POST", "/v1/models/a/versions/\N{ARABIC-INDIC DIGIT ONE}:predict"),
        ("GET", "/v1/models/a:predict"),
        ("GET", "/v1/models/a/"),
        ("GET", "/v1/models/a/versions/1/labels/b"),
        ("GET", "/v1/models%2Fa"),
        ("PUT", "/v1/models/a:predict"),
    ],
)
def test_malformed(method: str, target: str) -> None:
    """What the real server does not know is refused, and shown as it was sent."""
    with pytest.raises(MalformedTargetError, match=r"^Malformed request: ") as caught:
        read_target(method, target)
    assert str(caught.value).endswith(f"{method} {target}")


@pytest.mark.parametrize("digits", ["9223372036854775808", "9" * 5000])
def test_versions_are_64_bit_numbers(digits: str) -> None:
    """A version of too many digits is refused, however many there are."""
    with pytest.raises(BadParameterError):
        read_target("GET", f"/v1/models/a/versions/{digits}")


def test_broken_escapes() -> None:
    """Only a per cent sign with two hexadecimal digits is an escape."""
    assert [has_broken_escape(text) for text in ("a%2f", "a", "a%zz", "a%2", "%")] == [False, False, True, True, True]


@settings(deadline=None)
@given(st.sampled_from(["GET", "POST", "PUT"]), st.text(max_size=40))
def test_any_text_is_a_target_or_refused(method: str, text: str) -> None:
    """Whatever follows the prefix, the outcome is a target or one of the two refusals."""
    try:
        target = read_target(method, f"/v1/models/{text}")
    except (MalformedTargetError, BadParameterError):
        return
    assert target.model
