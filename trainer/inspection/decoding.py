"""Images decoded by Pillow to the pixels that training sees, for fingerprints without TensorFlow.

Decoders of one format agree to the bit, and the resize is TensorFlow's, so the fingerprints are those of training. CMYK
may differ by a level, and a WebP whose chunks have wrong lengths is refused here alone.
"""

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from contract.image_cost.check import why_costly
from contract.image_files.endings import ended
from contract.image_input import ImageInput
from trainer.augmentation_settings import ResizeKernel
from trainer.data.broken_images import why_refused
from trainer.data.orientation.in_bytes import turned_upright
from trainer.inspection.resizing import resize

_THREADS = 2
_LARGE = 12_000_000
"""Pixels from which images are decoded one at a time: each takes six bytes a pixel meanwhile."""

_FORMATS = {"MPO": "JPEG", "DIB": "BMP"}
_SIXTEEN_BITS = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
"""What Pillow's readers raise for content that makes no sense."""


class MeasuredBatch(NamedTuple):
    """Images for fingerprints, as `trainer.data.preprocessing.VariantsBatch`; there are no variants."""

    pixels: npt.NDArray[np.uint8]
    variants: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    valid: npt.NDArray[np.bool_]


class _Decoded(NamedTuple):
    pixels: npt.NDArray[np.uint8]
    size: tuple[int, int]
    kind: str


class PillowDecoder:
    """Decodes for one `ImageInput` without TensorFlow; `formats` counts what was decoded. Use it in a `with`."""

    kernels: tuple[ResizeKernel, ...] = ()

    def __init__(self, image_input: ImageInput) -> None:
        self.image_input = image_input
        self.formats: Counter[str] = Counter()
        self._one_large = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS)

    def __enter__(self) -> "PillowDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def decode_variants(self, contents: Sequence[bytes]) -> MeasuredBatch:
        """Return the pixels and sizes of encoded images; never raises for any content."""
        decoded = list(self._threads.map(self._decode, contents))
        blank = _Decoded(np.zeros((self.image_input.height, self.image_input.width, 3), np.uint8), (0, 0), "")
        self.formats.update(each.kind for each in decoded if each)
        rows = [each or blank for each in decoded]
        pixels = np.stack([each.pixels for each in rows])
        return MeasuredBatch(
            pixels,
            np.empty((len(rows), 0), np.uint8),
            np.array([each.size for each in rows], np.int32),
            np.array([each is not None for each in decoded], np.bool_),
        )

    def _decode(self, content: bytes) -> _Decoded | None:
        if why_refused(content, self.image_input) or why_costly(content):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which training does not look at
            try:
                return self._decode_image(content)
            except UNREADABLE:
                return None

    def _decode_image(self, content: bytes) -> _Decoded:
        with Image.open(io.BytesIO(content)) as opened:
            size, kind, components = (opened.height, opened.width), opened.format or "", len(opened.getbands())
        endings = ended(content, components)
        is_large = size[0] * size[1] >= _LARGE
        with self._one_large if is_large else contextlib.nullcontext():
            return _Decoded(self._pixels_of(endings), size, _FORMATS.get(kind, kind))

    def _pixels_of(self, endings: Sequence[bytes]) -> npt.NDArray[np.uint8]:
        content, *others = endings
        with Image.open(io.BytesIO(content)) as image:
            for each in others:  # what stands in for missing data has influence, what is behind the last pixel has not
                with Image.open(io.BytesIO(each)) as other:
                    if not np.array_equal(np.asarray(image), np.asarray(other)):
                        raise ValueError("cut short")
            upright = turned_upright(image, content) if self.image_input.exif_orientation else image
            rgb = as_rgb(upright)
        return resize(np.asarray(rgb), self.image_input.height, self.image_input.width)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB without alpha; of 16 bits the upper eight."""
    if image.mode in _SIXTEEN_BITS:
        image = Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8))
    return image.convert("RGB")
