"""The larger EfficientNets go the whole way; see `test_architectures.py`."""

from pathlib import Path

import pytest

from tests.end_to_end.training.round_trip import Grown, assert_round_trip, assert_row_is_documented, assert_splits, grow
from trainer.config import ModelSettings
from trainer.models.base import build_base

NAMES = [f"efficientnet_b{number}" for number in range(3, 8)]
CUT_IN_EVERY_RUN = ("efficientnet_b3",)
"""The smallest; the others, slow, have the same blocks, only more of them."""


@pytest.fixture(scope="module")
def descended(request: pytest.FixtureRequest) -> Grown:
    """A base of a row, with a head."""
    return grow(request.param, "none", 32)


@pytest.mark.parametrize("descended", CUT_IN_EVERY_RUN, indirect=True)
def test_row_is_documented(descended: Grown) -> None:
    """The table for users says of the network what the code does."""
    assert_row_is_documented(descended.settings.architecture, descended.base)


@pytest.mark.slow  # they are large: ten seconds each
@pytest.mark.parametrize("name", [name for name in NAMES if name not in CUT_IN_EVERY_RUN])
def test_row_of_a_network_that_is_not_cut_is_documented(name: str) -> None:
    """So does it of the others, which are only built for it."""
    assert_row_is_documented(name, build_base(ModelSettings(architecture=name, weights="none", image_size=32)))


@pytest.mark.parametrize(
    "descended",
    [pytest.param(name, marks=[] if name in CUT_IN_EVERY_RUN else [pytest.mark.slow]) for name in NAMES],
    indirect=True,
)
def test_halves_answer_as_the_whole(descended: Grown) -> None:
    """The layers that learn by default begin at a block, and the network cut there is still the network."""
    assert_splits(descended)


@pytest.mark.slow  # four minutes for the five; the smaller ones take the same way in every run
@pytest.mark.parametrize("descended", NAMES, indirect=True)
def test_round_trip_keeps_the_answers(descended: Grown, tmp_path: Path) -> None:
    """After a step of fine-tuning, the saved, reloaded and exported model answers the same."""
    assert_round_trip(descended, tmp_path)
