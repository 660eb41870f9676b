"""Repeated numbers as they are on protobuf's wire, made from an array at once.

Protobuf takes Python numbers one by one: 150,000 floats took 25 ms, in which no other request is served. It reads
them from the wire in 0.2 ms. Integers have a length of their own each there, which numpy is no quicker to make.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from contract.wire_format import field_head

AS_IN_MEMORY = frozenset(np.dtype(kind) for kind in (np.float32, np.float64, np.bool_))
"""The types that have the same bytes on the wire as in an array, one value after the other."""


def packed_field(number: int, values: npt.NDArray[Any]) -> bytes:
    """Return field `number` with `values`, [N] of a type that is `AS_IN_MEMORY`."""
    content = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return field_head(number, len(content)) + content
