"""What Keras knows of a model's layers and of how they feed each other: the only reader here of its private parts.

`_flatten_layers` and `_nodes_by_depth` have no public counterpart.
"""

from itertools import chain
from typing import Any

import keras


def batch_norms(model: Any) -> list[Any]:
    """Return the BatchNorm layers of a model, those inside other layers too."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def is_functional(layer: Any) -> bool:
    """Whether a layer is a model whose operations are a graph."""
    return isinstance(layer, keras.Model) and hasattr(layer, "_nodes_by_depth")


def nodes_of(network: Any) -> list[Any]:
    """Return the nodes of a functional model, a node for each call of an operation.

    Each has its `operation`, and its `input_tensors` and `output_tensors`.
    """
    return list(chain(*network._nodes_by_depth.values()))
