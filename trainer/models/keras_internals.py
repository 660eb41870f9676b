"""What the trainer reads of Keras that Keras keeps to itself, all in one place.

None of it has a public counterpart: how operations feed each other, which layers are inside a layer, and what an
optimizer knows of a variable. So Keras's version is capped in pyproject.toml, and tests/test_library_internals.py
names each attribute.
"""

from itertools import chain
from typing import Any


def nodes_of(network: Any) -> list[Any]:
    """Return the nodes of a functional model, a node for each call of an operation, in no order.

    Each has its `operation`, and its `input_tensors` and `output_tensors`.
    """
    return list(chain(*network._nodes_by_depth.values()))


def layers_inside(layer: Any) -> list[Any]:
    """Return the layers that a layer or model is made of, and theirs; without itself."""
    return list(layer._flatten_layers(include_self=False))


def index_of_variable(optimizer: Any, variable: Any) -> int:
    """Return the place of a variable among those that an optimizer was built for."""
    return int(optimizer._get_variable_index(variable))


def moving_averages(optimizer: Any) -> list[Any]:
    """Return an optimizer's moving average of each variable, in their order; it has them with `use_ema` only."""
    return list(optimizer._model_variables_moving_average)
