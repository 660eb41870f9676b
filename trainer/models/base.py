"""The base of a model: built from its architecture, filled with weights, split between its blocks.

Everywhere here a base is a flat functional Keras model named `BASE`, float32 [N, H, W, 3] to [N, h, w, C]. Some are
made of the layers of another model, so that `layer.output` may be a tensor of that model; `split_tensor` never is.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import keras

from trainer.config import ModelSettings
from trainer.errors import WeightsError
from trainer.models.architectures import BASE, Architecture, check_width, spec_of
from trainer.models.hub import build_preset_base
from trainer.models.keras_internals import layers_inside, nodes_of

_FROM_SCRATCH_MOMENTUM = 0.9


def build_base(model: ModelSettings) -> Any:
    """Build the base without its head, with random weights, or with ImageNet's if the settings say so.

    Raises:
        ConfigurationError: the architecture does not exist, or has no ImageNet weights for this width.
        WeightsError: the weights cannot be downloaded, or a preset cannot be read.
    """
    spec = spec_of(model.architecture)
    if spec is None:
        return build_preset_base(model)
    check_width(model)
    network = _build(spec, model)
    if spec.published_scale and model.weights == "imagenet":
        return keras.Model(network.inputs, network.outputs, name=BASE)
    if spec.published_scale:
        return _with_published_scale(network, spec.published_scale)
    return network


def load_base_weights(base: Any, file: Path) -> None:
    """Load the weights of a Keras weights file into `base`.

    Raises:
        WeightsError: it is not a weights file, or it belongs to another network.
    """
    try:
        with warnings.catch_warnings():  # about layers that it skips, just before it fails
            warnings.simplefilter("ignore", UserWarning)
            base.load_weights(file)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise WeightsError(
            f"{file} does not fit the base ({len(base.layers)} layers, {base.count_params():,} parameters); "
            f"check --architecture, model.alpha and that it was saved without its top: {reason}"
        ) from error


def copy_base_weights(base: Any, donor: Any) -> None:
    """Copy the weights of the base from the trained model `donor`.

    Raises:
        WeightsError: the model has another base.
    """
    try:
        put_weights(base, donor.get_layer(BASE).get_weights())
    except ValueError as error:
        raise WeightsError(
            "The run's base does not fit; use the run's own architecture, model.alpha and image size."
        ) from error


def put_weights(network: Any, weights: Sequence[Any]) -> None:
    """Set the weights of a base, or of a model that contains one, as returned by `get_weights`.

    `set_weights` alone leaves EfficientNet's normalisation with the mean and variance that it was built with.

    Raises:
        ValueError: they belong to another network.
    """
    network.set_weights(weights)
    for layer in layers_inside(network):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def prepare_for_training_from_scratch(base: Any) -> None:
    """Lower BatchNorm's momentum, so that its averages converge within a small data set.

    Keras builds MobileNet with momentum 0.999, which needs thousands of steps: after 500 the averages are still
    60 % their initial value, and a model that is good in training guesses in inference.
    """
    for layer in batch_norms(base):
        layer.momentum = _FROM_SCRATCH_MOMENTUM


def batch_norms(base: Any) -> list[Any]:
    """Return the BatchNorm layers of `base`, those inside other layers too."""
    return [layer for layer in layers_inside(base) if isinstance(layer, keras.layers.BatchNormalization)]


def dropouts(base: Any, before_last: int = 0) -> list[Any]:
    """Return the dropout layers, including those inside other layers.

    The base's last `before_last` layers are left out. KerasHub's DropPath, a class of its own in each family, counts as
    dropout.
    """
    own = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)
    front = chain(*([layer, *layers_inside(layer)] for layer in base.layers[: len(base.layers) - before_last]))
    return [
        layer
        for layer in front
        if isinstance(layer, own) or ("DropPath" in type(layer).__name__ and hasattr(layer, "rate"))
    ]


def split_points(base: Any) -> list[int]:
    """Return the numbers of last layers in front of which a single tensor passes, in rising order.

    A number N splits the base into `base.layers[:-N]` and `base.layers[-N:]`. The largest is right after the input.
    """
    return sorted(_find_split_points(base))


def block_split_points(base: Any, spec: Architecture | None) -> list[int]:
    """Return those of `split_points` that lie between two blocks and have trainable layers after them, rising.

    Without a spec, a block ends where branches join again (with the activation after it), or with a layer that is made
    of layers; a base that has neither can be split at any of `split_points`.
    """
    found = {n: end for n, end in _find_split_points(base).items() if any(map(_can_learn, base.layers[-n:]))}
    if spec is None:
        return sorted(_derived_block_ends(found) or found)
    return sorted(n for n, end in found.items() if re.fullmatch(spec.block_ends, end.operation.name))


def split_tensor(base: Any, count: int) -> Any:
    """Return the symbolic tensor in front of the last `count` layers.

    `keras.Model(base.input, tensor)` and `keras.Model(tensor, base.output)` are then the two halves of the base.

    Raises:
        ValueError: several tensors pass there.
    """
    found = _find_split_points(base)
    if count not in found:
        raise ValueError(f"the base cannot be split in front of its last {count} layers")
    return found[count].tensor


def default_unfreeze(model: ModelSettings) -> int:
    """Return how many last layers of a preset the second phase trains: its last two blocks."""
    base = build_base(model.model_copy(update={"weights": "none"}))
    *_, last = block_split_points(base, spec_of(model.architecture))[:2]
    return last


def _build(spec: Architecture, model: ModelSettings) -> Any:
    size = model.image_size or spec.image_size
    imagenet = model.weights == "imagenet"
    width = {"alpha": model.width} if spec.alphas else {}
    try:
        with warnings.catch_warnings():  # about weights of another image size, which are fine
            warnings.simplefilter("ignore", UserWarning)
            return getattr(keras.applications, spec.keras_name)(
                input_shape=(size, size, 3),
                include_top=False,
                weights="imagenet" if imagenet else None,
                **_name(spec, imagenet=imagenet),
                **width,
            )
    except Exception as error:
        if not imagenet or "URL fetch failure" not in str(error):  # Keras raises a bare Exception for it
            raise
        raise WeightsError(
            "The ImageNet weights cannot be downloaded here; give a weights file (--weights FILE.h5), "
            "or put it where Keras keeps its downloads."
        ) from error


def _name(spec: Architecture, *, imagenet: bool) -> dict[str, str]:
    """Return the name as an argument; Keras looks for an EfficientNet's weights under the name of the network."""
    return {} if imagenet and spec.published_scale else {"name": BASE}


def _with_published_scale(network: Any, scale: tuple[float, ...]) -> Any:
    """Insert the layer that Keras builds for weights="imagenet" only, so that all weights get the same network."""

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        values = layer(*args, **kwargs)
        return keras.layers.Rescaling(list(scale))(values) if isinstance(layer, keras.layers.Normalization) else values

    return keras.models.clone_model(
        network,
        input_tensors=keras.Input(network.input_shape[1:]),
        clone_function=lambda layer: layer,  # the clone reuses the layers with their weights
        call_function=call,
    )


@dataclass(frozen=True)
class _SplitPoint:
    """The one tensor that passes a split point, and the operation that makes it, out of `inputs`."""

    tensor: Any
    operation: Any
    inputs: list[Any]


def _find_split_points(base: Any) -> dict[int, _SplitPoint]:
    """Find every place that a single tensor passes, by the number of layers after it."""
    operations = base.operations
    position = {id(operation): index for index, operation in enumerate(operations)}
    nodes = sorted(nodes_of(base), key=lambda node: position[id(node.operation)])
    last_use = {id(tensor): position[id(node.operation)] for node in nodes for tensor in node.input_tensors}
    last_use |= {id(tensor): len(operations) for tensor in base.outputs}
    found: dict[int, _SplitPoint] = {}
    alive: dict[int, _SplitPoint] = {}
    behind = len(base.layers)
    for index, node in enumerate(nodes):
        alive |= {id(made): _SplitPoint(made, node.operation, node.input_tensors) for made in node.output_tensors}
        alive = {key: point for key, point in alive.items() if last_use.get(key, -1) > index}
        behind -= isinstance(node.operation, keras.Layer)
        if len(alive) == 1 and behind:
            (found[behind],) = alive.values()
    return found


def _derived_block_ends(points: dict[int, _SplitPoint]) -> list[int]:
    ends: list[int] = []
    end: Any = None
    for count, point in sorted(points.items(), reverse=True):
        if _joins_branches(point) or _is_made_of_layers(point.operation):
            ends.append(count)
        elif ends and _is_activation_of(end, point):
            ends[-1] = count
        else:
            continue
        end = point.tensor
    return ends


def _joins_branches(point: _SplitPoint) -> bool:
    return type(point.operation).__name__ in {"Add", "Concatenate"} and len(point.inputs) > 1


def _is_made_of_layers(operation: Any) -> bool:
    return isinstance(operation, keras.Layer) and sum(bool(layer.weights) for layer in layers_inside(operation)) > 1


def _can_learn(layer: Any) -> bool:
    return bool(layer.weights) and not isinstance(layer, keras.layers.BatchNormalization)


def _is_activation_of(end: Any, point: _SplitPoint) -> bool:
    same_shape = point.tensor.shape == end.shape
    return point.inputs[0] is end and same_shape and not getattr(point.operation, "weights", [])
