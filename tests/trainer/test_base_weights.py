"""Where the weights of a base come from, and what is said when they do not fit."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.manifest import BaseWeights
from tests.trainer.conftest import Trained, smallest_config
from trainer.architectures import BASE, batch_norms, build_base
from trainer.base_weights import prepare_base
from trainer.config import ModelSettings
from trainer.errors import ConfigurationError, WeightsError

ROOT = Path(__file__).parents[2]
PUBLISHED = (
    ROOT
    / os.environ.get("GRAFT_DATA", "../shared/data")
    / "weights"
    / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
)


def settings(weights: str, alpha: float = 0.1) -> ModelSettings:
    return smallest_config(model={"weights": weights, "alpha": alpha}).model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A base with random weights, and the file that it was saved to."""
    base = build_base(settings("none"))
    file = tmp_path_factory.mktemp("weights") / "base.weights.h5"
    base.save_weights(file)
    return base, file


def assert_same_weights(one: Any, other: Any) -> None:
    for mine, its in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_weights_come_from_a_file(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """A weights file fills the base; its name and the digest of the weights are recorded."""
    expected, file = saved
    base, weights = prepare_base(settings(str(file)), tmp_path)
    assert_same_weights(base, expected)
    assert weights.source == "base.weights.h5"
    assert weights.digest is not None


def test_weights_come_from_a_run(from_scratch: Trained) -> None:
    """A run's id fills the base with what the run had learned, BatchNorm's averages included."""
    base, weights = prepare_base(settings(from_scratch.run.record.id), from_scratch.runs)
    assert_same_weights(base, from_scratch.run.load_model().get_layer(BASE))
    assert weights.source == f"run:{from_scratch.run.record.id}"


def test_no_weights_let_batch_norm_follow_quickly(tmp_path: Path) -> None:
    """From scratch nothing is recorded as source, and BatchNorm's averages follow within a small data set."""
    base, weights = prepare_base(settings("none"), tmp_path)
    assert weights == BaseWeights(source="none", digest=None)
    assert {layer.momentum for layer in batch_norms(base)} == {0.9}


def test_file_of_another_width_is_refused(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """A weights file of another alpha is refused in one line with what to check."""
    with pytest.raises(
        WeightsError, match=r"base\.weights\.h5 does not fit the base .* check .*model\.alpha"
    ) as caught:
        prepare_base(settings(str(saved[1]), alpha=0.5), tmp_path)
    assert "\n" not in str(caught.value)


def test_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    """A file that is no weights file is refused with its path."""
    file = tmp_path / "notes.h5"
    file.write_text("not weights")
    with pytest.raises(WeightsError, match=r"notes\.h5 does not fit the base"):
        prepare_base(settings(str(file)), tmp_path)


def test_run_of_another_width_is_refused(from_scratch: Trained) -> None:
    """A run whose base has another alpha is refused with what to use instead."""
    with pytest.raises(WeightsError, match=r"The run's base does not fit; use the run's own .*model\.alpha"):
        prepare_base(settings(from_scratch.run.record.id, alpha=0.5), from_scratch.runs)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    """A name that is neither a file nor a run is refused with all that could have been given."""
    with pytest.raises(
        WeightsError, match=r"^'none\.h5' is no weights: give imagenet, none, a weights file \(\.h5\), or"
    ):
        prepare_base(settings("none.h5"), tmp_path)


def test_imagenet_weights_of_an_unpublished_width_are_refused(tmp_path: Path) -> None:
    """ImageNet weights are refused for an alpha that was never published, with those that were."""
    with pytest.raises(ConfigurationError, match=r"no ImageNet weights .* for alpha 0\.1; there are for 0\.35, 0\.5"):
        prepare_base(settings("imagenet"), tmp_path)


def test_published_weights_file_fits(tmp_path: Path) -> None:
    """Keras's published file of alpha 0.35 fills the base at another picture size."""
    if not PUBLISHED.is_file():
        pytest.skip(f"there are no published weights at {PUBLISHED}; GRAFT_DATA says where their parent is")
    base, weights = prepare_base(settings(str(PUBLISHED), alpha=0.35), tmp_path)
    assert weights.source == PUBLISHED.name
    means = [layer.get_weights()[2] for layer in batch_norms(base)]
    assert all(np.abs(mean).max() > 1e-3 for mean in means)  # trained statistics, not zeros
