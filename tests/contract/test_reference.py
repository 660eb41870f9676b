"""How answers looked on held-out data, as buckets that live traffic can be sorted into."""

import math

import pytest
from pydantic import ValidationError

from contract.reference import Histogram, ReferenceDistributions, normalised_entropy

TENTHS = Histogram(edges=(0.0, 0.1, 0.5, 1.0), counts=(1, 2, 1))


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (0.09, 0), (0.1, 1), (0.49, 1), (0.5, 2), (1.0, 2), (-3.0, 0), (7.0, 2)]
)
def test_each_value_has_a_bucket(value: float, bucket: int) -> None:
    """A bucket begins at its lower edge; what is below the first or above the last is counted in those."""
    assert TENTHS.index_of(value) == bucket


def test_infinities_are_at_the_ends() -> None:
    """Infinite values are counted at their end."""
    assert (TENTHS.index_of(-math.inf), TENTHS.index_of(math.inf)) == (0, 2)


def test_nan_is_refused() -> None:
    """NaN is in no bucket, and must not be counted in one."""
    with pytest.raises(ValueError, match="NaN"):
        TENTHS.index_of(math.nan)


def test_shares_add_up_to_one() -> None:
    """Shares are counts over their sum, and zeros where nothing was counted."""
    assert TENTHS.shares() == (0.25, 0.5, 0.25)
    assert Histogram(edges=(0, 1, 2), counts=(0, 0)).shares() == (0.0, 0.0)


@pytest.mark.parametrize(
    ("edges", "counts"),
    [
        ((0.0, 1.0), (1, 2)),
        ((0.0, 1.0, 1.0), (1, 2)),
        ((0.0, 2.0, 1.0), (1, 2)),
        ((0.0, math.nan, 1.0), (1, 2)),
        ((0.0, 1.0, math.inf), (1, 2)),
        ((0.0, 1.0, 2.0), (1, -2)),
        ((0.0,), ()),
    ],
)
def test_buckets_that_make_no_sense_are_refused(edges: tuple[float, ...], counts: tuple[int, ...]) -> None:
    """Edges that do not rise or do not fit the counts are refused, and so are negative counts."""
    with pytest.raises(ValidationError):
        Histogram(edges=edges, counts=counts)


@pytest.mark.parametrize(
    ("prediction", "expected"), [([1.0, 0.0], 0.0), ([0.5, 0.5], 1.0), ([0.25] * 4, 1.0), ([0.5, 0.5, 0.0, 0.0], 0.5)]
)
def test_entropy_does_not_depend_on_the_number_of_classes(prediction: list[float], expected: float) -> None:
    """A sure answer has entropy 0 and one without any idea 1, whatever the number of classes."""
    assert normalised_entropy(prediction) == pytest.approx(expected)


def test_round_trip() -> None:
    """A reference read from its own JSON is the same."""
    reference = ReferenceDistributions(
        images=4, predicted={"a": 3, "b": 1}, confidence=TENTHS, entropy=TENTHS, size=TENTHS, brightness=TENTHS
    )
    assert ReferenceDistributions.model_validate_json(reference.model_dump_json()) == reference
