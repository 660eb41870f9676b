"""The images on which a version is checked: its own fixtures, or those of any folder."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from exporter.errors import CheckError
from trainer.data.folders.walk import SkippedFile, plain_name, walk
from trainer.data.image_files import ImageFile, read_ahead
from trainer.data.image_folder import LabelledImage

if TYPE_CHECKING:  # a folder without images is refused before TensorFlow has to start
    from trainer.data.preprocessing import ImageDecoder

_MOST = 8
_MOST_BYTES = 3 * 2**20  # many servers of this API receive 4 MB at most, which is gRPC's default


@dataclass(frozen=True)
class ImageBatch:
    """N images: their names and files, and what our preprocessing makes of them.

    `pixels` uint8 [N, H, W, 3] RGB are zeros where `valid`, bool [N], is false.
    """

    names: tuple[str, ...]
    contents: tuple[bytes, ...]
    pixels: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]

    def single(self, row: int) -> "ImageBatch":
        """Return the batch of one image."""
        rows = slice(row, row + 1)
        return ImageBatch(self.names[rows], self.contents[rows], self.pixels[rows], self.valid[rows])


@dataclass(frozen=True)
class ImageSet:
    """Image files, and the folder that their names start from."""

    root: Path
    files: tuple[Path, ...]
    skipped: tuple[SkippedFile, ...] = ()

    def batches(self, decoder: "ImageDecoder", on_unreadable: Callable[[str], None]) -> Iterator[ImageBatch]:
        """Yield the images in order, at most eight and, but for a single large one, 3 MB at a time.

        `on_unreadable` hears a line about each file that cannot be read, which is left out.
        """
        images = [LabelledImage(file, 0) for file in self.files]
        with ThreadPoolExecutor(1) as threads:
            for read in read_ahead(images, decoder.image_input, threads):
                for file in read:
                    if file.reason:
                        on_unreadable(f"{self._name(file)} is left out: {file.reason}")
                for batch in _in_batches([file for file in read if not file.reason]):
                    yield self._decoded(batch, decoder)

    def skipped_in_words(self) -> str | None:
        """Return how many files in the folder were skipped, and why the first one was; None where there are none."""
        if not self.skipped:
            return None
        first = self.skipped[0]
        name = plain_name(first.path.relative_to(self.root))
        return f"{len(self.skipped)}, the first of them {name}, {first.reason}."

    def _decoded(self, files: Sequence[ImageFile], decoder: "ImageDecoder") -> ImageBatch:
        contents = tuple(file.content for file in files)
        pixels, valid = decoder.decode(contents)
        return ImageBatch(tuple(self._name(file) for file in files), contents, pixels, valid)

    def _name(self, file: ImageFile) -> str:
        return plain_name(file.image.path.relative_to(self.root))


def images_in(folder: Path) -> ImageSet:
    """Find the image files in `folder` and below it, however they are sorted into folders.

    Raises:
        CheckError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise CheckError(f"There is no folder {plain_name(folder)}; give --data a folder of images.")
    found = walk(folder)
    if not found.images:
        raise CheckError(f"{plain_name(folder)} has no images (JPEG, PNG, BMP or WebP); give another --data.")
    return ImageSet(folder, tuple(found.images), tuple(found.skipped))


def _in_batches(files: Sequence[ImageFile]) -> Iterator[list[ImageFile]]:
    batch: list[ImageFile] = []
    for file in files:
        size = sum(len(other.content) for other in batch) + len(file.content)
        if batch and (len(batch) == _MOST or size > _MOST_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
