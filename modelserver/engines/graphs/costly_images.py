"""Images that take far more work to decode than their pixels need, found before the graph gets them.

Graphs of older versions do not look for them, and none can see how much a PNG holds behind its pixels: TensorFlow has
no operation that inflates a part of a string.
"""

import numpy as np

from contract.image_cost.check import why_costly
from modelserver.model.tensors import Array


def without_costly_images(contents: Array) -> Array:
    """Return encoded images with nothing in place of those that are costly.

    The graph treats that as any other row that is not an image. A photograph takes microseconds, a PNG of 20 MB up to
    0.2 seconds of a processor.
    """
    costly = [place for place, content in np.ndenumerate(contents) if why_costly(content)]
    if not costly:
        return contents
    cheap = contents.copy()
    for place in costly:
        cheap[place] = b""
    return cheap
