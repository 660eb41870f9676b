"""How many pixels the images of one request may have together."""

from collections.abc import Mapping

import numpy as np

from contract.image_cost.size import MAX_REQUEST_PIXELS, declared_pixels
from contract.signatures import IMAGE_INPUT
from modelserver.errors import BadInputError
from modelserver.model.tensors import Array


def check_pixels(inputs: Mapping[str, Array]) -> None:
    """Refuse encoded images that declare more pixels in all than a request may have; a single one may have any number.

    The graph bounds each image: 256 files of 34 bytes can still declare 50 million pixels each.

    Raises:
        BadInputError: they declare more.
    """
    images = inputs.get(IMAGE_INPUT)
    if images is None or images.dtype != np.object_ or images.size < 2:
        return
    total = sum(map(declared_pixels, images.flat))
    if total > MAX_REQUEST_PIXELS:
        raise BadInputError(
            f"The {images.size} images declare {total} pixels in all; at most {MAX_REQUEST_PIXELS} are accepted in one "
            "request. Send them in several."
        )
