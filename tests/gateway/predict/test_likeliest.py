"""The likeliest classes are found in the order that callers expect."""

import random

import pytest

from gateway.predict.prediction import likeliest


@pytest.mark.parametrize("count", [1, 3, 64, 65, 1000])
@pytest.mark.parametrize("number", [1, 5, 2000])
def test_they_come_in_falling_order(count: int, number: int) -> None:
    """The likeliest come first and of equal ones the first, as many as are wanted or there are."""
    chance = random.Random(7)
    labels = [f"class {index}" for index in range(count)]
    for different in (2, 30, 100_000):
        values = [chance.randrange(different) / different for _ in range(count)]
        expected = sorted(range(count), key=lambda index: (-values[index], index))[:number]
        found = likeliest(tuple(values), labels, number)
        assert [label for label, _ in found.top] == [labels[index] for index in expected]
        assert [probability for _, probability in found.top] == [values[index] for index in expected]
        assert found.index == expected[0]
