"""Runs that are repeated or interrupted: the same weights, to the bit."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainer.small_network import (
    LAST_BLOCK,
    LAST_TWO_BLOCKS,
    Watching,
    learn,
    pipeline_of_two_classes,
    same_weights,
    small_config,
    small_network,
)
from trainer.augmentation_settings import Flip, MixUp
from trainer.config import TrainingConfig
from trainer.models.network import Network
from trainer.progress import Epoch
from trainer.training.checkpoint import Checkpoint

CACHED = small_config(phase_two={"unfreeze": [LAST_BLOCK, LAST_TWO_BLOCKS], "ema": 0.5})
AUGMENTED = small_config(augmentation={"steps": [{"kind": "flip"}, {"kind": "mixup"}]}, phase_two={"epochs": 2})
STEPS = (Flip(), MixUp())
EPOCHS = {"cached": 7, "augmented": 5}
IN_EVERY_RUN = {("cached", 2), ("cached", 5), ("augmented", 3), ("augmented", 4)}
"""In the middle and at the end of either phase, each with one of the two; of the end of all there is a test below."""


class Interrupting(Watching):
    """Does what Ctrl-C does, right after some epoch."""

    def __init__(self, network: Network, after: int) -> None:
        super().__init__(network)
        self._after = after

    def on_epoch(self, epoch: Epoch) -> None:
        """Stop if this is the epoch."""
        super().on_epoch(epoch)
        if len(self.epochs) == self._after:
            raise KeyboardInterrupt


def settings(kind: str) -> tuple[TrainingConfig, dict[str, object]]:
    return (CACHED, {}) if kind == "cached" else (AUGMENTED, {"train": pipeline_of_two_classes(steps=STEPS)})


def whole(kind: str, seed: int = 1) -> tuple[Network, list[float]]:
    config, pipelines = settings(kind)
    config = config.model_copy(update={"seed": seed})
    network = small_network(config)
    outcome = learn(network, config, **pipelines)  # type: ignore[arg-type]
    return network, [epoch.val_loss for epoch in outcome.epochs]


@pytest.fixture(scope="module")
def trained_once() -> Callable[[str], tuple[Network, list[float]]]:
    """A run of each kind to its end, trained when it is first needed."""
    return functools.cache(whole)


@pytest.fixture(params=["cached", "augmented"])
def uninterrupted(
    request: pytest.FixtureRequest, trained_once: Callable[[str], tuple[Network, list[float]]]
) -> tuple[str, Network, list[float]]:
    """A run to its end, with cached features and moving averages, or with images drawn anew."""
    return request.param, *trained_once(request.param)


def test_same_seed_gives_the_same_weights(uninterrupted: tuple[str, Network, list[float]]) -> None:
    """Two runs with the same seed have the same losses and the same weights, bit for bit."""
    kind, network, losses = uninterrupted
    again, losses_again = whole(kind)
    assert len(losses) == EPOCHS[kind]
    assert losses_again == losses
    assert same_weights(again, network)


def test_other_seed_gives_other_weights(uninterrupted: tuple[str, Network, list[float]]) -> None:
    """Another seed draws another order of images, and so ends with other weights from the same start."""
    kind, network, _ = uninterrupted
    other, _ = whole(kind, seed=2)
    assert not same_weights(other, network)


@pytest.mark.parametrize(
    ("uninterrupted", "after"),
    [  # slow: six to ten seconds each, and the same way through the code as one of those in every run
        pytest.param(kind, after, marks=[] if (kind, after) in IN_EVERY_RUN else [pytest.mark.slow])
        for kind, epochs in EPOCHS.items()
        for after in range(1, epochs + 1)
    ],
    indirect=["uninterrupted"],
)
def test_interrupted_run_ends_as_if_it_had_not_been(
    uninterrupted: tuple[str, Network, list[float]], after: int, tmp_path: Path
) -> None:
    """Stopped after any epoch of any stage, and continued by a new network, a run has the same weights, bit for bit."""
    kind, network, losses = uninterrupted
    config, pipelines = settings(kind)
    stopped = small_network(config)
    with pytest.raises(KeyboardInterrupt):
        learn(stopped, config, Interrupting(stopped, after), checkpoint=Checkpoint(tmp_path), **pipelines)  # type: ignore[arg-type]
    resumed = small_network(config)
    outcome = learn(resumed, config, watching := Watching(resumed), checkpoint=Checkpoint(tmp_path), **pipelines)  # type: ignore[arg-type]
    assert len(watching.epochs) == EPOCHS[kind] - after  # or it began anew
    assert [epoch.val_loss for epoch in outcome.epochs] == losses
    assert same_weights(resumed, network)


def test_ended_run_is_resumed_to_its_end_at_once(tmp_path: Path) -> None:
    """A run that was stopped after its last epoch trains nothing more, and has its weights."""
    network = small_network(CACHED)
    learn(network, CACHED, checkpoint=Checkpoint(tmp_path))
    resumed = small_network(CACHED)
    learn(resumed, CACHED, watching := Watching(resumed), checkpoint=Checkpoint(tmp_path))
    assert watching.epochs == []
    assert same_weights(resumed, network)


def test_run_from_scratch_is_resumed_with_its_averages(tmp_path: Path) -> None:
    """From scratch BatchNorm's averages and the lowered learning rate are part of what is continued."""
    config = small_config(phase_one={"epochs": 5, "plateau_patience": 1})
    val = pipeline_of_two_classes(swapped=True)
    network = small_network(config)
    learn(network, config, scratch=True, val=val)
    stopped = small_network(config)
    with pytest.raises(KeyboardInterrupt):
        learn(stopped, config, Interrupting(stopped, 3), scratch=True, val=val, checkpoint=Checkpoint(tmp_path))
    resumed = small_network(config)
    learn(resumed, config, scratch=True, val=val, checkpoint=Checkpoint(tmp_path))
    assert same_weights(resumed, network)
