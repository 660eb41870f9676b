"""Images in the size that the network takes: by the extension in C, where it was built."""

import numpy as np

from modelserver.engines.pixels.errors import UnprovedImageError
from modelserver.model.decoded_images import Pixels

try:
    from modelserver.engines.pixels import kernel
except ImportError:  # no compiler was there when Graft was installed
    _EXTENSION = None
else:
    _EXTENSION = kernel


def is_built() -> bool:
    """Return whether the extension is there."""
    return _EXTENSION is not None


def resize(image: Pixels, height: int, width: int, *, antialias: bool) -> tuple[Pixels, int]:
    """Return an image, uint8 [H, W, 3] of any strides, in another size, and the sum of its values.

    The bits are those of TensorFlow's `tf.image.resize(method="bilinear")` and `tf.round`.

    Raises:
        UnprovedImageError: it is too large for the extension, or that was not built.
    """
    if _EXTENSION is None:
        raise UnprovedImageError("no resize that was compiled")
    result = np.empty((height, width, 3), np.uint8)
    try:
        total = _EXTENSION.resize(image, result, antialias)
    except ValueError as error:
        raise UnprovedImageError("an image of very many rows or columns") from error
    return result, total
