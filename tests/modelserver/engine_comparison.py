"""Inputs for two engines, and the comparison of their outputs."""

import numpy as np
import numpy.typing as npt

from modelserver.model.tensors import Array
from tests.fakes.images import encoded, gradient
from tests.modelserver.litert_versions import picture

CONTENTS = [
    picture(1),
    b"no picture",
    picture(2)[:400],
    encoded(gradient(), "PNG"),
    b"",
    encoded(gradient(), "GIF"),
    picture(3),
]
"""Good ones, one that ends early, and some that are none."""


def strings(values: list[bytes]) -> npt.NDArray[np.object_]:
    """Return an array of `bytes`."""
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def assert_same(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """Floats may differ by rounding; names, types, shapes and everything else are the same."""
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        if array.dtype == np.float32:
            np.testing.assert_allclose(found[name], array, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[name], array)
