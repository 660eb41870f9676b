"""How large a request may be: decided by what it says of itself, before memory is taken for it."""

import math
from collections.abc import Mapping
from typing import Any

from modelserver.errors import BadInputError
from modelserver.model.signatures import ServedSignature

_SMALL_ROW = 4096
"""Values that a row may have in any case: how far such a row is from its signature, the graph says."""
_IMPOSSIBLE = 2**31
"""Values that no message holds; such a tensor is refused when it is read, in TensorFlow Serving's words."""
_MAX_CONTEXT_BYTES = 2**24
"""What the context of examples, which is put before each of them, comes to at most."""


def check_tensors(inputs: Mapping[str, Any], signature: ServedSignature, most: int) -> None:
    """Refuse TensorProtos by input name that have more than `most` rows, or much larger rows than the signature's.

    The first dimension counts rows; where the signature fixes it, that number of rows is allowed, too.

    Raises:
        BadInputError: there are more rows or larger ones.
    """
    for name, tensor in inputs.items():
        said = signature.input_shape(name)
        shape = tensor.tensor_shape
        seen = [] if shape.unknown_rank else [dim.size for dim in shape.dim]
        if not seen or math.prod(seen) > _IMPOSSIBLE:
            continue
        if seen[0] > max(most, said[0] if said else 0):
            raise BadInputError(
                f"The input {name} has {seen[0]} rows, and one request may have {most}; send them in several requests."
            )
        row, expected = (_values(sizes[1:]) for sizes in (seen, said))
        if -1 not in said[1:] and said and row > max(expected, _SMALL_ROW if most > 1 else 1):
            raise BadInputError(
                f"A row of the input {name} has {row} values, and the signature's has {expected}; "
                "send rows of its size."
            )


def check_examples(given: Any, most: int) -> None:
    """Refuse a `tensorflow.serving.Input` of more than `most` examples.

    Raises:
        BadInputError: there are more, or their context is too large.
    """
    with_context = given.WhichOneof("kind") == "example_list_with_context"
    rows = len((given.example_list_with_context if with_context else given.example_list).examples)
    if rows > most:
        raise BadInputError(
            f"The request has {rows} examples, and one request may have {most}; send them in several requests."
        )
    if with_context and (size := given.example_list_with_context.context.ByteSize()) * rows > _MAX_CONTEXT_BYTES:
        raise BadInputError(
            f"The context of {size} bytes is put before each of {rows} examples, which comes to more than "
            f"{_MAX_CONTEXT_BYTES} bytes; send fewer examples or a smaller context."
        )


def _values(sizes: list[int] | tuple[int, ...]) -> int:
    """Return the number of values in a row: of none too, were it not for a dimension of 0."""
    return math.prod(max(size, 1) for size in sizes)
