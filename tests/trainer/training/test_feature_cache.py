"""Features that are computed once: the same training, in less time."""

from typing import Any

import numpy as np
import pytest

from tests.trainer.small_network import (
    LAST_BLOCK,
    LAST_TWO_BLOCKS,
    Watching,
    context_of,
    learn,
    pipeline_of_two_classes,
    small_config,
    small_network,
)
from trainer.augmentation_settings import Flip
from trainer.errors import ConfigurationError
from trainer.models.network import POOLED
from trainer.progress import Progress
from trainer.training.feature_cache import compute_features, is_cacheable, split_points_worth_caching
from trainer.training.input_pipeline import TrainingData


def losses(cache: str, dropout: float, **sections: Any) -> list[float]:
    config = small_config(phase_one={"epochs": 4, "cache_features": cache}, **sections)
    network = small_network(config, dropout)
    return [epoch.val_loss for epoch in learn(network, config).epochs]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("unfreeze", [LAST_BLOCK, LAST_BLOCK + 2])
def test_cached_run_equals_the_uncached_one(dropout: float, unfreeze: int) -> None:
    """Validation losses of both phases are the same within 1e-5, also over a base that drops values when it trains."""
    cached = losses("always", dropout, phase_two={"unfreeze": unfreeze})
    uncached = losses("never", dropout, phase_two={"unfreeze": unfreeze})
    assert len(cached) == 6
    np.testing.assert_allclose(cached, uncached, atol=1e-5)
    assert len(set(cached)) == 6  # or nothing was learned


def test_dropout_of_the_base_is_itself_again_afterwards() -> None:
    """Dropout in frozen layers is off while a stage is trained, and back when it has ended."""
    config = small_config()
    network = small_network(config, dropout=0.5)
    learn(network, config)
    assert network.base.get_layer("dropout_in_base").rate == 0.5


def test_front_and_tail_are_the_network() -> None:
    """The tail turns what the front returns for an image into the network's output, at every split point."""
    network = small_network(small_config())
    images = np.random.default_rng(1).uniform(0, 1, (4, 8, 8, 3)).astype(np.float32)
    split_points = [POOLED, LAST_BLOCK, LAST_TWO_BLOCKS]
    for split_point, features in zip(split_points, network.front(split_points)(images), strict=True):
        assert features.shape[1:] == network.shape_at(split_point)
        np.testing.assert_allclose(network.tail(split_point)(features), network.model(images), atol=1e-6)


def test_every_view_of_every_image_is_computed_once() -> None:
    """With K views there are K rows of features for each image, and not all views are alike."""
    config = small_config(augmentation={"steps": [{"kind": "flip"}], "views": 3})
    network = small_network(config)
    train, val = pipeline_of_two_classes(steps=(Flip(),), variants=3), pipeline_of_two_classes()
    data = compute_features(context_of(network, config, TrainingData(train, val), Progress()), [POOLED])[POOLED]
    rows = data.train.rows.take(np.arange(96)).reshape(3, 32, -1)
    assert (data.train.variants, data.val.variants) == (3, 1)
    assert 0 < sum(not np.array_equal(one, other) for one, other in zip(rows[0], rows[1], strict=True)) < 32
    assert data.train.targets.shape == (3, 32, 2)


def test_fixed_views_are_trained_on() -> None:
    """A run with fixed views uses its cache, and learns."""
    config = small_config(
        augmentation={"steps": [{"kind": "flip"}], "views": 2}, phase_one={"cache_features": "always"}
    )
    network = small_network(config)
    learn(network, config, watching := Watching(network), train=pipeline_of_two_classes(steps=(Flip(),), variants=2))
    assert len(watching.epochs) == 5


def test_images_that_are_drawn_anew_are_not_cached() -> None:
    """Augmentation without fixed views cannot be cached: not by default, and a demand for it is refused."""
    drawn = small_config(augmentation={"steps": [{"kind": "flip"}]})
    assert not is_cacheable(drawn)
    assert is_cacheable(small_config())
    demanded = small_config(augmentation={"steps": [{"kind": "flip"}]}, phase_one={"cache_features": "always"})
    with pytest.raises(ConfigurationError, match=r"set augmentation\.views to the number of fixed variants"):
        is_cacheable(demanded)


def test_features_that_fit_no_disk_are_not_cached() -> None:
    """Beside the pooled features, only those are cached for which there is room."""
    network = small_network(small_config())
    assert split_points_worth_caching(network, [LAST_BLOCK, LAST_TWO_BLOCKS], rows=100) == [
        POOLED,
        LAST_BLOCK,
        LAST_TWO_BLOCKS,
    ]
    assert split_points_worth_caching(network, [LAST_BLOCK], rows=10**15) == [POOLED]
