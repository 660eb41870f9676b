"""Building the network at the start of a run, and the one that is saved at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from contract.manifest import BaseWeights
from trainer.config import TrainingConfig
from trainer.hardware import gpus, precision, precision_of, strategy_for
from trainer.models.base import build_base, prepare_for_training_from_scratch, put_weights
from trainer.models.head import add_head
from trainer.models.network import Network
from trainer.training.base_weights import prepare_base

Weights = list[npt.NDArray[Any]]


def begin_network(config: TrainingConfig, classes: int, runs: Path) -> tuple[Network, BaseWeights]:
    """Build the network on the base weights that the settings name.

    Raises:
        ConfigurationError: there are no published weights for these settings.
        WeightsError: they cannot be loaded, or belong to another network.
    """
    with _placed(config):
        base, base_weights = prepare_base(config.model, runs)
        return Network(add_head(base, config.head, classes)), base_weights


def continue_network(config: TrainingConfig, classes: int, weights: Weights) -> Network:
    """Build the network with the weights that an interrupted run started with."""
    with _placed(config):
        return _rebuild(config, classes, weights)


def build_unchanged(config: TrainingConfig, classes: int, weights: Weights) -> Network:
    """Build the network as it was before training, in full precision."""
    return _rebuild(config, classes, weights)


def build_from_scratch(config: TrainingConfig, classes: int) -> Network:
    """Build the same network with random weights everywhere."""
    nothing = config.model_copy(update={"model": config.model.model_copy(update={"weights": "none"})})
    with _placed(config):
        base = build_base(nothing.model)
        prepare_for_training_from_scratch(base)
        return Network(add_head(base, config.head, classes))


def in_full_precision(network: Network, config: TrainingConfig) -> Any:
    """Return the model in float32 throughout, which is what is saved, exported and compared."""
    if precision_of(config.hardware, len(gpus())) == "float32":
        return network.model
    return _rebuild(config, network.classes, network.model.get_weights()).model


def _rebuild(config: TrainingConfig, classes: int, weights: Weights) -> Network:
    base = build_base(config.model.model_copy(update={"weights": "none"}))
    if config.model.weights == "none":
        prepare_for_training_from_scratch(base)
    network = Network(add_head(base, config.head, classes))
    put_weights(network.model, weights)
    return network


@contextmanager
def _placed(config: TrainingConfig) -> Iterator[None]:
    devices = gpus()
    with strategy_for(devices).scope(), precision(precision_of(config.hardware, len(devices))):
        yield
