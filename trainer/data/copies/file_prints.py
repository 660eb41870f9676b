"""Fingerprints of image files, fast enough to be taken before a data set is split. No TensorFlow here.

A JPEG is decoded at an eighth of its size or so, which takes a millisecond for most: the fingerprints are of 32 x 32
pixels anyway. docs/data.md says how many copies they find.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from contract.image_files.end_marks import with_end
from trainer.data.fingerprints import Fingerprints, fingerprints_of
from trainer.data.orientation.in_bytes import turned_upright

_SIDE = 32
_DECODED_AT = 2 * _SIDE  # at least: smaller ones would be decoded from averages of 8 x 8 pixels
_MOST_PIXELS = 50_000_000
_LARGEST_FILE_BYTES = 8 * _MOST_PIXELS
_THREADS = 2
_BATCH = 256
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
_UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)  # what Pillow raises


@dataclass(frozen=True)
class FilePrints:
    """The fingerprints of those of some files that can be decoded: `numbers` int64 [N] are their places among all.

    `content` are digests of 32 x 32 pixels.
    """

    numbers: npt.NDArray[np.int64]
    fingerprints: Fingerprints


def prints_of_files(paths: Sequence[Path], on_progress: Callable[[int], None] = lambda _: None) -> FilePrints:
    """Take the fingerprints of image files; those that cannot be decoded are left out. Never raises for any content.

    Two files and some 256 small images are in memory at a time. `on_progress` is called with the number of files just
    read.
    """
    numbers: list[int] = []
    parts = []
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as threads:
        warnings.simplefilter("ignore")  # a large image, or odd EXIF: who decodes it in full says so
        for start in range(0, len(paths), _BATCH):
            small = list(_counted(threads.map(_small, paths[start : start + _BATCH]), on_progress))
            numbers += [start + place for place, pixels in enumerate(small) if pixels is not None]
            parts += (
                [fingerprints_of(np.stack(whole))] if (whole := [each for each in small if each is not None]) else []
            )
    return FilePrints(np.array(numbers, np.int64), Fingerprints.joined(parts))


def _counted(
    images: Iterator[npt.NDArray[np.uint8] | None], on_progress: Callable[[int], None]
) -> Iterator[npt.NDArray[np.uint8] | None]:
    for image in images:
        on_progress(1)
        yield image


def _small(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return the image as uint8 [32, 32, 3], upright; None if it cannot be decoded."""
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            return None
        content = with_end(path.read_bytes())
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.draft("RGB", (_DECODED_AT, _DECODED_AT))
            upright = turned_upright(_of_8_bits(image), content).convert("RGB")
            return np.asarray(upright.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    except _UNREADABLE:
        return None


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Return an image of 16 bits with the upper 8: converting it would make white of nearly all values."""
    return image.point(lambda value: value * (1 / 256)).convert("L") if image.mode.startswith("I") else image
