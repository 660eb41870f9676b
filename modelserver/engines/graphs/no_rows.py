"""Batches of no rows, which are answered with no rows however TensorFlow computes.

oneDNN's convolution gives a batch of no rows the shape of its input. What lies behind it then refuses the batch, or an
output has another shape than the signature says. TensorFlow switches oneDNN on by itself, on some processors.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from modelserver.errors import BadInputError, GraphError
from modelserver.model.tensors import Array

_MOST_VALUES = 2**24
"""In the row that is made up: without a row a shape of any size takes no byte."""

Shape = tuple[int, ...]
"""What a signature says of an output: -1 where a size is not known."""

Run = Callable[[Sequence[Array]], dict[str, Array]]


def run_rows(run: Run, arguments: Sequence[Array], shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Run a graph; where all `arguments` have no row, and it fails or misses `shapes`, with one row that is cut off.

    Outputs that have not one row for that row are not cut: then the graph's own outputs or error stand. `shapes` are
    those that are known of the outputs, by name.

    Raises:
        ModelServerError: whatever `run` raises for the arguments as they are.
    """
    if not arguments or any(argument.ndim == 0 or len(argument) for argument in arguments):
        return run(arguments)
    try:
        outputs = run(arguments)
    except (BadInputError, GraphError):
        if (cut := _from_one_row(run, arguments)) is None:
            raise
        return cut
    if all(_fits(outputs[name].shape, shape) for name, shape in shapes.items() if name in outputs):
        return outputs
    cut = _from_one_row(run, arguments)
    return outputs if cut is None else cut


def _from_one_row(run: Run, arguments: Sequence[Array]) -> dict[str, Array] | None:
    if any(math.prod(argument.shape[1:]) > _MOST_VALUES for argument in arguments):
        return None
    try:
        outputs = run([_one_row(argument) for argument in arguments])
    except (BadInputError, GraphError):
        return None
    if any(output.ndim == 0 or len(output) != 1 for output in outputs.values()):
        return None
    return {name: output[:0] for name, output in outputs.items()}


def _one_row(argument: Array) -> Array:
    empty = b"" if argument.dtype == np.object_ else 0
    return np.full((1, *argument.shape[1:]), empty, argument.dtype)


def _fits(seen: Shape, said: Shape) -> bool:
    return len(seen) == len(said) and all(size in {-1, found} for size, found in zip(said, seen, strict=True))
