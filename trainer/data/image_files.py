"""Reading image files ahead, while others are being decoded."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract.image_input import ImageInput
from trainer.data.image_folder import LabelledImage

_BATCH = 32
_BATCH_BYTES = 64 * 2**20  # so that a batch of very large photos does not fill the memory
_LARGEST_FILE_BYTES_PER_PIXEL = 8  # a PNG of 16 bits and four channels that cannot be compressed at all


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file; empty if it cannot be read, with the `reason`."""

    image: LabelledImage
    content: bytes = b""
    reason: str = ""


def read_ahead(
    images: Sequence[LabelledImage], image_input: ImageInput, threads: ThreadPoolExecutor
) -> Iterator[list[ImageFile]]:
    """Yield the files in batches of at most 32, in order, each read while the one before is processed.

    A batch ends early at 64 MB. A file that cannot be read, or is larger than any image that `image_input` allows, has
    no content.
    """
    batches = _read_in_batches(images, _LARGEST_FILE_BYTES_PER_PIXEL * image_input.max_pixels)
    coming = threads.submit(next, batches, None)
    while (batch := coming.result()) is not None:
        coming = threads.submit(next, batches, None)
        yield batch


def _read_in_batches(images: Sequence[LabelledImage], largest: int) -> Iterator[list[ImageFile]]:
    batch: list[ImageFile] = []
    size = 0
    for image in images:
        batch.append(_read(image, largest))
        size += len(batch[-1].content)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(image: LabelledImage, largest: int) -> ImageFile:
    try:
        if (size := image.path.stat().st_size) > largest:
            return ImageFile(image, reason=f"a file of {size / 2**20:,.0f} MB, too large for an image")
        return ImageFile(image, image.path.read_bytes())
    except OSError as error:
        return ImageFile(image, reason=f"cannot be read: {str(error.strerror).lower()}")
