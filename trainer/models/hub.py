"""Bases from KerasHub: any of its image backbones, from a preset's name or folder.

The base is as flat as those of the table, and contains the preset's own rescaling as its first layer, so that its input
is RGB pixels of 0 to 255. The preset's cropping and resizing are ignored: images are resized as for every other base,
in training and in serving.
"""

import difflib
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import keras

from trainer.config import ModelSettings
from trainer.errors import ConfigurationError, WeightsError
from trainer.models.architectures import BASE, HUB

_UNREADABLE = (ImportError, KeyError, OSError, TypeError, ValueError)
"""The errors that KerasHub raises for a preset that does not exist, cannot be downloaded or is not a preset."""


def build_preset_base(model: ModelSettings) -> Any:
    """Build the base of a preset at `model.image_size`; "imagenet" means the preset's own weights.

    Raises:
        ConfigurationError: KerasHub is not installed, or the preset does not take images, or not of this size.
        WeightsError: the preset does not exist or cannot be read.
    """
    preset = _preset_of(model.architecture)
    backbone = _read_backbone(preset, load_weights=model.weights == "imagenet")
    _check_takes_images(preset, backbone)
    scaling = _rescaling_of(_read_converter(preset))
    size = model.image_size or image_size_of_preset(model.architecture)
    images = keras.Input((size, size, 3), name=backbone.inputs[0].name)
    try:
        base = _assemble(backbone, images, scaling(images) if scaling else images)
    except ValueError as error:
        raise ConfigurationError(
            f"The preset {preset} does not support images of {size} pixels ({_first_line(error)}); "
            f"its own are {backbone.inputs[0].shape[1:3]}, set model.image_size."
        ) from error
    if base is None:
        raise ConfigurationError(
            f"KerasHub cannot load a saved {type(backbone).__name__}, so a model fine-tuned from {preset} could not be "
            "used; choose a preset of another family."
        )
    return base


def image_size_of_preset(architecture: str) -> int:
    """Return the preset's height and width, in pixels.

    Raises:
        ConfigurationError: KerasHub is not installed, or the preset has no square size.
        WeightsError: the preset does not exist or cannot be read.
    """
    preset = _preset_of(architecture)
    size = _read_converter(preset).image_size
    if not size or size[0] != size[1]:
        raise ConfigurationError(
            f"The preset {preset} has no square image size but {size}; set model.image_size to one that it supports."
        )
    return int(size[0])


def prepare_to_load(model_file: Path) -> None:
    """Import KerasHub if a saved `.keras` model contains its layers, since Keras cannot load it otherwise.

    Raises:
        ConfigurationError: it does, and KerasHub is not installed.
    """
    with zipfile.ZipFile(model_file) as archive:
        if b'"keras_hub' in archive.read("config.json"):
            _import_keras_hub()


def _preset_of(architecture: str) -> str:
    return architecture.removeprefix(HUB)


def _import_keras_hub() -> Any:
    try:
        import keras_hub  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigurationError(
            f"Presets need KerasHub, which cannot be imported here ({error}); "
            "pip install 'graft-serving[hub]' brings it."
        ) from error
    return keras_hub


def _read_backbone(preset: str, load_weights: bool) -> Any:
    models = _import_keras_hub().models
    try:
        precision = keras.config.dtype_policy().name  # of the run, not of the saved preset
        return models.Backbone.from_preset(preset, load_weights=load_weights, dtype=precision)
    except _UNREADABLE as error:
        near = difflib.get_close_matches(preset, models.Backbone.presets, n=1)
        hint = f"; did you mean {near[0]}?" if near and near[0] != preset else f": {_first_line(error)}"
        raise WeightsError(f"The KerasHub preset {preset} cannot be read{hint}") from error


def _read_converter(preset: str) -> Any:
    try:
        return _import_keras_hub().layers.ImageConverter.from_preset(preset)
    except _UNREADABLE as error:
        raise WeightsError(
            f"The KerasHub preset {preset} does not say how it scales pixels ({_first_line(error)}); "
            "save it with its image converter."
        ) from error


def _check_takes_images(preset: str, backbone: Any) -> None:
    images, *more = [tensor.shape for tensor in backbone.inputs]
    if more or len(images) != 4 or images[-1] != 3 or any(len(x.shape) not in {3, 4} for x in backbone.outputs):
        raise ConfigurationError(
            f"The preset {preset} is a {type(backbone).__name__}, which does not turn one image into features; "
            "give an image backbone such as hub:resnet_50_imagenet."
        )


def _rescaling_of(converter: Any) -> Any:
    """Return the converter's scaling as a layer; None if it has none."""
    if converter.scale is None and converter.offset is None:
        return None
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    return keras.layers.Rescaling(scale, offset, name="preset_rescaling")


def _assemble(backbone: Any, images: Any, values: Any) -> Any:
    """Return the base in layers, or else with the backbone in one piece; None if neither could be loaded again.

    Some layers of KerasHub, such as those of its ViT, cannot be loaded by themselves, only by their backbone.
    """
    base = _in_layers(backbone, images, values)
    if not any(_is_of_keras_hub(layer) for layer in base.layers) or _reloads(base):
        return base
    base = _model(images, backbone(_as_input_of(backbone, values)))
    return base if _reloads(base) else None


def _in_layers(backbone: Any, images: Any, values: Any) -> Any:
    """Return a plain Keras model of the backbone's own layers, from `images`, with `values` as their input.

    Plain, so that a trained model loads without KerasHub unless the layers themselves are KerasHub's.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(lambda x: values if x is images else x, (args, kwargs))
        return layer(*args, **kwargs)

    network = keras.models.clone_model(
        backbone,
        input_tensors=_as_input_of(backbone, images),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return _model(images, network.outputs)


def _as_input_of(backbone: Any, tensor: Any) -> Any:
    return keras.tree.pack_sequence_as(backbone.input, [tensor])


def _model(images: Any, outputs: Any) -> Any:
    # the deepest, where a backbone gives the features of every stage
    features = min(keras.tree.flatten(outputs), key=lambda tensor: prod(tensor.shape[1:-1]))
    if len(features.shape) == 3:  # tokens: as a row, so that pooling takes their mean
        features = keras.layers.Reshape((1, *features.shape[1:]), name="token_row")(features)
    return keras.Model(images, features, name=BASE)


def _is_of_keras_hub(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras_hub")


def _reloads(base: Any) -> bool:
    try:
        keras.Model.from_config(base.get_config())
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError):
        return False
    return True


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
