"""Where the weights of the base come from."""

from pathlib import Path
from typing import Any

import numpy as np

from contract.manifest import BaseWeights
from trainer.architectures import HUB
from trainer.base import (
    build_base,
    copy_base_weights,
    load_base_weights,
    prepare_for_training_from_scratch,
)
from trainer.config import ModelSettings
from trainer.errors import RunNotFoundError, WeightsError
from trainer.run_record import find_run
from trainer.trained_model import digest_of_tensors, read_run


def prepare_base(settings: ModelSettings, runs: Path) -> tuple[Any, BaseWeights]:
    """Build the base and fill it with the weights that the settings name.

    Raises:
        ConfigurationError: such weights were never published.
        WeightsError: they cannot be had, belong to another network, or are not finite.
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
    """Say whose weights they are; of a preset's folder only the name, which means something elsewhere too."""
    if architecture.startswith(HUB):
        return HUB + Path(architecture.removeprefix(HUB)).name
    return "imagenet"


def _copy_from_run(base: Any, name: str, runs: Path) -> str:
    try:
        run = read_run(find_run(name, runs))
    except RunNotFoundError as error:
        raise WeightsError(
            f"{name!r} is no weights: give imagenet, none, a weights file (.h5), or a run of {runs}."
        ) from error
    copy_base_weights(base, run.load_model())
    return f"run:{run.record.id}"
