"""Encoded images to the pixels that the network takes, without TensorFlow."""

from typing import NamedTuple

import numpy as np

from contract.image_files.orientation import orientation_of
from contract.image_input import ImageInput
from modelserver.engines.pixels import bmp, jpeg, png, webp
from modelserver.engines.pixels.errors import BrokenImageError, UnprovedImageError
from modelserver.engines.pixels.headers import Header, ImageKind, read_header
from modelserver.engines.pixels.resize import resize
from modelserver.model.decoded_images import Pixels

_WHITE = 255
_READ_BACKWARDS = [(orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7}) for orientation in range(9)]
"""By EXIF orientation, once the axes are swapped: rows, columns."""


class DecodedPixels(NamedTuple):
    """`pixels` uint8 [height, width, 3] RGB; `brightness` is their mean, from 0 to 1, float32."""

    pixels: Pixels
    brightness: np.float32


class PixelDecoder:
    """Decodes for one `ImageInput`, to the same bits as `trainer.data.preprocessing.decode_one_image` in a graph.

    Safe to use from several threads at once.
    """

    def __init__(self, image_input: ImageInput) -> None:
        self.image_input = image_input

    def decode(self, content: bytes) -> DecodedPixels | None:
        """Return the pixels of an image that is not `why_costly`.

        None for what is not an image by its header, and for one that is not a JPEG and declares too many pixels: there
        the graph has no error, either.

        Raises:
            BrokenImageError: it cannot be decoded, or takes far more work than its pixels need.
            UnprovedImageError: another decoder may make something else of it.
        """
        header = read_header(content)
        wanted = self.image_input
        if header.kind is ImageKind.NOT_AN_IMAGE or header.pixels > wanted.max_pixels:
            return None
        upright = self._upright(content, _decode(content, header, wanted.max_pixels))
        pixels, total = resize(upright, wanted.height, wanted.width, antialias=wanted.antialias)
        return DecodedPixels(pixels, np.float32(total / pixels.size / _WHITE))

    def _upright(self, content: bytes, image: Pixels) -> Pixels:
        """Return a view that undoes the EXIF orientation: swaps the axes from 5 on, then mirrors each reversed axis."""
        if not self.image_input.exif_orientation:
            return image
        try:
            orientation = orientation_of(content)
        except ValueError as error:
            raise BrokenImageError(str(error)) from error
        turned = image.transpose(1, 0, 2) if orientation >= 5 else image
        rows, columns = _READ_BACKWARDS[orientation]
        return turned[:: -1 if rows else 1, :: -1 if columns else 1]


def _decode(content: bytes, header: Header, max_pixels: int) -> Pixels:
    if header.kind is ImageKind.JPEG:
        return jpeg.decode(content, max_pixels)
    if header.kind is ImageKind.PNG:
        return png.decode(content)
    if header.kind is ImageKind.BMP:
        return bmp.decode(content, header)
    if header.kind is ImageKind.WEBP:
        return webp.decode(content, header)
    raise UnprovedImageError(header.kind.value)
