"""The networks that can be grown on, one row each."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from contract.image_input import ImageInput
from trainer.config import ModelSettings
from trainer.errors import ConfigurationError, WeightsError

BASE = "base"
"""The name of the base inside every model, by which a later run finds it."""

_FROM_SCRATCH_MOMENTUM = 0.9


@dataclass(frozen=True)
class Architecture:
    """One family of networks: how its base is built, and what it does to pixels (see `ImageInput`)."""

    build: Callable[..., Any]
    scale: float
    offset: float
    alphas: tuple[float, ...]
    """Widths for which ImageNet weights were published."""


ARCHITECTURES = {
    "mobilenet_v2": Architecture(
        build=keras.applications.MobileNetV2,
        scale=1 / 127.5,
        offset=-1.0,
        alphas=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    )
}


def image_input_of(model: ModelSettings) -> ImageInput:
    """Return what the architecture expects of a picture."""
    row = ARCHITECTURES[model.architecture]
    return ImageInput(height=model.image_size, width=model.image_size, scale=row.scale, offset=row.offset)


def build_base(model: ModelSettings) -> Any:
    """Build the base without its head, with random or ImageNet weights; float32 [N, H, W, 3] to [N, h, w, C].

    Raises:
        ConfigurationError: no ImageNet weights were published for this width.
        WeightsError: they cannot be downloaded.
    """
    row = ARCHITECTURES[model.architecture]
    imagenet = model.weights == "imagenet"
    if imagenet and model.alpha not in row.alphas:
        raise ConfigurationError(
            f"There are no ImageNet weights of {model.architecture} for alpha {model.alpha}; "
            f"there are for {', '.join(map(str, row.alphas))}."
        )
    try:
        base = row.build(
            input_shape=(model.image_size, model.image_size, 3),
            alpha=model.alpha,
            include_top=False,
            weights="imagenet" if imagenet else None,
            name=BASE,
        )
    except Exception as error:
        if not imagenet or "URL fetch failure" not in str(error):  # Keras raises a bare Exception for it
            raise
        raise WeightsError(
            "The ImageNet weights cannot be downloaded here; give a weights file (--weights FILE.h5), "
            "or put it where Keras keeps its downloads."
        ) from error
    return base


def load_base_weights(base: Any, file: Path) -> None:
    """Load the weights of a Keras weights file into `base`.

    Raises:
        WeightsError: it is no such file, or it belongs to another network.
    """
    try:
        with warnings.catch_warnings():  # of layers that it skips, just before it refuses
            warnings.simplefilter("ignore", UserWarning)
            base.load_weights(file)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise WeightsError(
            f"{file} does not fit the base ({len(base.layers)} layers, {base.count_params():,} parameters); "
            f"check --architecture, model.alpha and that it was saved without its top: {reason}"
        ) from error


def copy_base_weights(base: Any, donor: Any) -> None:
    """Copy the weights of a base out of the trained model `donor`.

    Raises:
        WeightsError: the model was grown on another base.
    """
    try:
        base.set_weights(donor.get_layer(BASE).get_weights())
    except ValueError as error:
        raise WeightsError(
            "The run's base does not fit; use the run's own architecture, model.alpha and image size."
        ) from error


def prepare_for_training_from_scratch(base: Any) -> None:
    """Let BatchNorm's averages follow within a small data set.

    Keras builds MobileNet with momentum 0.999, which needs thousands of steps: after 500 the averages are still
    60 % their initial value and the model, good in training, guesses in use.
    """
    for layer in batch_norms(base):
        layer.momentum = _FROM_SCRATCH_MOMENTUM


def batch_norms(base: Any) -> list[Any]:
    """Return the BatchNorm layers of `base`."""
    return [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
