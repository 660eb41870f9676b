"""How many pixels the images of one request may declare together."""

import numpy as np
import pytest

from modelserver.errors import BadInputError
from modelserver.model.tensors import Array
from modelserver.requests.image_pixels import check_pixels
from tests.drawn.bombs import lossless_webp_bomb


def images(count: int) -> dict[str, Array]:
    """Return the inputs of a request with so many images of 49 megapixels, 34 bytes each."""
    return {"image_bytes": np.array([lossless_webp_bomb(7000, 7000)] * count, np.object_)}


def test_many_large_images_are_refused_together() -> None:
    """Four are accepted, five are not, with what was seen and what to do."""
    check_pixels(images(4))
    with pytest.raises(
        BadInputError,
        match="The 5 images declare 245000000 pixels in all; at most 200000000 are accepted in one request",
    ):
        check_pixels(images(5))


def test_other_inputs_and_single_images_are_not_looked_at() -> None:
    """One image is bounded by the graph, and a tensor of another name or type is not an image."""
    single = np.empty((), np.object_)
    single[()] = lossless_webp_bomb(16_000, 16_000)
    check_pixels({"image_bytes": single})
    check_pixels({"image_bytes": np.zeros((3, 2), np.float32)})
    check_pixels({"query": images(9)["image_bytes"]})
    check_pixels({})
