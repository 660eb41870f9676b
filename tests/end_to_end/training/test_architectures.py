"""Every architecture goes the whole way: built, fine-tuned one step, saved, reloaded, exported, compared.

The larger EfficientNets are in `test_large_efficientnets.py`, so that two processes share the work.
"""

from pathlib import Path

import pytest

from tests.end_to_end.training.round_trip import Grown, assert_round_trip, assert_row_is_documented, assert_splits, grow
from trainer.models.architectures import ARCHITECTURES

LARGE = ("efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7")
SLOW = ("resnet101", "inception_v3", "efficientnet_b1", "efficientnet_b2")
"""Half a minute and more each; the others take the same way in every run."""

SLOW_ROUND_TRIPS = ("mobilenet_v3_large", "resnet50", "resnet50_v2")
"""Half a minute and more each, of blocks like those of the others; what they are built of is tested in every run."""

ROWS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in ARCHITECTURES if name not in LARGE
]


@pytest.fixture(scope="module", params=ROWS)
def descended(request: pytest.FixtureRequest) -> Grown:
    """A base of each row, with a head."""
    return grow(request.param, "none", ARCHITECTURES[request.param].smallest_image)


def test_row_is_documented(descended: Grown) -> None:
    """The table for users says of the network what the code does."""
    assert_row_is_documented(descended.settings.architecture, descended.base)


def test_halves_answer_as_the_whole(descended: Grown) -> None:
    """The layers that learn by default begin at a block, and the network cut there is still the network."""
    assert_splits(descended)


@pytest.mark.parametrize(
    "descended",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in (*SLOW, *SLOW_ROUND_TRIPS) else [])
        for name in ARCHITECTURES
        if name not in LARGE
    ],
    indirect=True,
)
def test_round_trip_predicts_the_same(descended: Grown, tmp_path: Path) -> None:
    """After a step of fine-tuning, the saved, reloaded and exported model predicts the same."""
    assert_round_trip(descended, tmp_path)
