"""Layers that become part of the convolution beside them.

In use BatchNorm multiplies each channel by a number and adds another; both fit into the kernel and bias of the
convolution before it. Zeros around an image fit into the convolution behind them, where they are those that it
would add itself. Each such layer would read and write every activation once; the pads alone are a sixth of
MobileNetV2's time.
"""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from exporter.saved_model.keras_layers import batch_norms, is_functional, nodes_of

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class FoldedModel:
    """A model that answers as the one it was made of.

    Its BatchNorm layers `folded` and zero paddings `merged` are gone. `kept` are the BatchNorm layers that stay,
    because no convolution precedes them, as in the pre-activation blocks of ResNet V2, or because their convolution
    has other readers or an activation of its own.
    """

    model: Any
    folded: tuple[str, ...]
    merged: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class _Change:
    """What a convolution takes over."""

    convolution: Any
    padding: Any = None
    norm: Any = None


def fold_layers(model: Any) -> FoldedModel:
    """Return a functional model, and the functional models in it, with BatchNorm and zero padding folded away.

    Layers that do not change are shared with `model`, which is left as it was.
    """
    changes = {id(change.convolution): change for change in _find_changes(model)}
    norms = {id(change.norm): change.norm for change in changes.values() if change.norm is not None}
    paddings = {id(change.padding): change.padding for change in changes.values() if change.padding is not None}

    rebuilt: dict[int, Any] = {}  # by the identity of a model inside the model, which may be used twice

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) in norms or id(layer) in paddings:
            return args[0]  # the convolution answers for it
        if id(layer) in changes:
            return _call_changed(changes[id(layer)], args[0])
        if is_functional(layer) and id(layer) not in rebuilt:
            rebuilt[id(layer)] = _rebuild(layer, call)
        return rebuilt.get(id(layer), layer)(*args, **kwargs)

    return FoldedModel(
        model=_rebuild(model, call),
        folded=tuple(norm.name for norm in batch_norms(model) if id(norm) in norms),
        merged=tuple(padding.name for padding in paddings.values()),
        kept=tuple(norm.name for norm in batch_norms(model) if id(norm) not in norms),
    )


def leave_as_trained(model: Any) -> FoldedModel:
    """Return the model itself, with nothing folded."""
    return FoldedModel(model, (), (), tuple(norm.name for norm in batch_norms(model)))


def _rebuild(network: Any, call: Any) -> Any:
    inputs = keras.tree.map_structure(lambda tensor: keras.Input(tensor.shape[1:], dtype=tensor.dtype), network.input)
    return keras.models.clone_model(
        network, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call
    )


def _call_changed(change: _Change, values: Any) -> Any:
    config = change.convolution.get_config()
    if change.padding is not None:
        config["padding"] = "same"
    if change.norm is not None:
        config["use_bias"] = True
    made = type(change.convolution).from_config(config)
    result = made(values)
    made.set_weights(change.convolution.get_weights() if change.norm is None else _folded_weights(change))
    return result


def _folded_weights(change: _Change) -> list[npt.NDArray[np.float32]]:
    """Return kernel and bias; in double precision, so that folding itself rounds once."""
    norm = change.norm
    kernel, *biases = (np.asarray(weight, np.float64) for weight in change.convolution.get_weights())
    bias = biases[0] if biases else 0.0
    mean, variance = (np.asarray(value, np.float64) for value in (norm.moving_mean, norm.moving_variance))
    gamma = np.asarray(norm.gamma, np.float64) if norm.scale else 1.0
    beta = np.asarray(norm.beta, np.float64) if norm.center else 0.0
    factor = gamma / np.sqrt(variance + norm.epsilon)
    # a depthwise kernel ends in [inputs, multiplier], which are the channels in this order
    is_depthwise = isinstance(change.convolution, keras.layers.DepthwiseConv2D)
    per_channel = factor.reshape(kernel.shape[-2:]) if is_depthwise else factor
    return [(kernel * per_channel).astype(np.float32), (beta + (bias - mean) * factor).astype(np.float32)]


def _find_changes(network: Any) -> list[_Change]:
    nested = chain(*(_find_changes(layer) for layer in network.layers if is_functional(layer)))
    return [*_Reader(network).changes(), *nested]


class _Reader:
    """Reads which operation of one functional model feeds which."""

    def __init__(self, network: Any) -> None:
        self._nodes = nodes_of(network)
        self._maker = {id(tensor): node for node in self._nodes for tensor in node.output_tensors}
        self._readers = Counter(id(tensor) for node in self._nodes for tensor in node.input_tensors)
        self._readers.update(id(tensor) for tensor in network.outputs)
        self._uses = Counter(id(node.operation) for node in self._nodes)

    def changes(self) -> list[_Change]:
        """Return what each convolution can take over."""
        found = {id(node): self._with_padding(node) for node in self._nodes if _is_plain_convolution(node.operation)}
        for node in self._nodes:
            convolution = self._only_maker(node)
            if convolution is not None and id(convolution) in found and _can_take_norm(convolution, node):
                found[id(convolution)] = replace(found[id(convolution)], norm=node.operation)
        changes = (change for change in found.values() if self._uses[id(change.convolution)] == 1)
        return [change for change in changes if change.padding is not None or change.norm is not None]

    def _with_padding(self, node: Any) -> _Change:
        padding = self._only_maker(node)
        can = padding is not None and _is_same_padding(padding, node.operation)
        return _Change(node.operation, padding=padding.operation if can else None)

    def _only_maker(self, node: Any) -> Any:
        """Return the node that makes the only input of `node`, and for it alone; None where there is no such node."""
        if len(node.input_tensors) != 1 or self._uses[id(node.operation)] > 1:
            return None
        read = id(node.input_tensors[0])
        maker = self._maker.get(read)
        alone = maker is not None and self._readers[read] == self._uses[id(maker.operation)] == 1
        return maker if alone else None


def _is_plain_convolution(layer: Any) -> bool:
    # exactly these types: a subclass may do more than convolve
    return type(layer) in _CONVOLUTIONS and layer.data_format == "channels_last"


def _can_take_norm(convolution: Any, node: Any) -> bool:
    layer, norm = convolution.operation, node.operation
    return (
        isinstance(norm, keras.layers.BatchNormalization)
        and layer.activation is keras.activations.linear
        and norm.axis in {-1, 3}
        and layer.compute_dtype == norm.compute_dtype == "float32"
    )


def _is_same_padding(padding: Any, convolution: Any) -> bool:
    """Whether the zeros are those that the convolution would add with padding="same"."""
    layer = padding.operation
    if type(layer) is not keras.layers.ZeroPadding2D or layer.data_format != "channels_last":
        return False
    if convolution.padding != "valid" or set(convolution.dilation_rate) != {1}:
        return False
    sizes = padding.input_tensors[0].shape[1:3]
    given = zip(layer.padding, sizes, convolution.kernel_size, convolution.strides, strict=True)
    return all(zeros == _same_zeros(size, kernel, stride) for zeros, size, kernel, stride in given)


def _same_zeros(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros padding="same" adds before and after, as TensorFlow documents it for `tf.nn.conv2d`."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
