"""The weights that a base starts with."""

from pathlib import Path
from typing import Any

import numpy as np

from contract.manifest import BaseWeights
from trainer.config import ModelSettings
from trainer.errors import RunNotFoundError, WeightsError
from trainer.models.architectures import HUB
from trainer.models.base import (
    build_base,
    copy_base_weights,
    load_base_weights,
    prepare_for_training_from_scratch,
)
from trainer.runs.record import find_run
from trainer.runs.trained_model import digest_of_tensors, read_run


def prepare_base(settings: ModelSettings, runs: Path) -> tuple[Any, BaseWeights]:
    """Build the base and fill it with the weights that the settings name.

    Raises:
        ConfigurationError: there are no published weights for these settings.
        WeightsError: they cannot be loaded, belong to another network, or are not finite.
    """
    base = build_base(settings)
    if settings.weights == "none":
        prepare_for_training_from_scratch(base)
        return base, BaseWeights(source="none", digest=None)
    if settings.weights == "imagenet":
        source = _name_of_pretrained(settings.architecture)
    elif Path(settings.weights).is_file():
        load_base_weights(base, Path(settings.weights))
        source = Path(settings.weights).name
    else:
        source = _copy_from_run(base, settings.weights, runs)
    weights = base.get_weights()
    if not all(np.isfinite(values).all() for values in weights):
        raise WeightsError(f"The weights of {source} hold NaN or infinite values; give others.")
    return base, BaseWeights(source=source, digest=digest_of_tensors(weights))


def _name_of_pretrained(architecture: str) -> str:
    """Return the name of the pretrained weights; of a preset's folder only its last part, without local paths."""
    if architecture.startswith(HUB):
        return HUB + Path(architecture.removeprefix(HUB)).name
    return "imagenet"


def _copy_from_run(base: Any, name: str, runs: Path) -> str:
    try:
        run = read_run(find_run(name, runs))
    except RunNotFoundError as error:
        raise WeightsError(
            f"There are no weights {name!r}: give imagenet, none, a weights file (.h5), or a run of {runs}."
        ) from error
    copy_base_weights(base, run.load_model())
    return f"run:{run.record.id}"
