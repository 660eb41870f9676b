"""The labelled images of a split, decoded once: pixels at the model's size, broken files, sizes and fingerprints."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from trainer.augmentation_settings import ResizeKernel
from trainer.data.broken_images import BrokenImage, why_broken
from trainer.data.fingerprints import Fingerprints, fingerprints_of
from trainer.data.folders.walk import plain_name
from trainer.data.image_files import ImageFile, read_ahead
from trainer.data.image_folder import LabelledImage, Split
from trainer.data.pixel_store import MemoryBudget, PixelStore
from trainer.data.reference_histograms import brightness_of
from trainer.errors import DataSetError

_NAMED = 3  # broken images in an error


class DecodedVariants(Protocol):
    """A batch of decoded images as arrays, as `trainer.data.preprocessing.VariantsBatch`."""

    @property
    def pixels(self) -> Any:
        """Uint8 [N, H, W, 3] as they are served."""

    @property
    def variants(self) -> Any:
        """Uint8 [N, K, H, W, 3] by each resize kernel."""

    @property
    def sizes(self) -> Any:
        """Int32 [N, 2]: height and width as stored in the file."""

    @property
    def valid(self) -> Any:
        """Bool [N]: false where an image could not be decoded."""


class SplitDecoder(Protocol):
    """What decodes: `trainer.data.preprocessing.ImageDecoder`, or one without TensorFlow that measures only."""

    image_input: ImageInput
    kernels: tuple[ResizeKernel, ...]

    def decode_variants(self, contents: Sequence[bytes]) -> DecodedVariants:
        """Decode encoded images; never raises for any content."""


@dataclass(frozen=True)
class DecodedSplit:
    """The decoded images of one split, and the `images` they came from; `broken` files were left out.

    `pixels` has uint8 rows [H, W, 3], or [K, H, W, 3] where K > 1 resize kernels were asked for, in their order.
    `labels` is int32 [N]. `sizes` int32 [N, 2] are height and width as stored in the file, before its EXIF orientation
    is applied. `brightness` float32 [N] is the mean of all values, 0 black to 1 white. `sizes`, `brightness` and
    `fingerprints` are of the image as it is served, whatever the kernels.
    """

    pixels: PixelStore[np.uint8]
    labels: npt.NDArray[np.int32]
    images: list[LabelledImage]
    broken: list[BrokenImage]
    sizes: npt.NDArray[np.int32]
    brightness: npt.NDArray[np.float32]
    fingerprints: Fingerprints


def decode_split(
    images: Sequence[LabelledImage],
    decoder: SplitDecoder,
    budget: MemoryBudget,
    on_progress: Callable[[int], None] = lambda _: None,
) -> DecodedSplit:
    """Decode every image once, into memory or, beyond the budget, into an unnamed file on disk.

    `on_progress` is called with the number of images just decoded. Needs little memory besides the budget: two batches
    of images, and some 2 KB for each image. A decoder without kernels only measures: no pixels are kept.

    Raises:
        DataSetError: none of the images can be decoded.
        StorageError: there is not enough disk space for them.
    """
    decoding = _Decoding(decoder, PixelStore(len(images), _row_shape(decoder), np.uint8, budget))
    with ThreadPoolExecutor(2) as threads:
        for files in read_ahead(images, decoder.image_input, threads):
            decoding.add(files, threads)
            on_progress(len(files))
        return decoding.finish()


def check_broken(splits: Mapping[Split, DecodedSplit], labels: Sequence[str], strict: bool) -> None:
    """Refuse broken files if `strict`, and in any case if a class has no image left to train on.

    Raises:
        DataSetError: names the first of them and how many there are.
    """
    broken = [image for split in splits.values() for image in split.broken]
    if strict and broken:
        raise DataSetError(
            f"{_named(broken)} cannot be decoded; repair or remove these files, or train without --strict."
        )
    missing = sorted(set(range(len(labels))) - set(splits["train"].labels.tolist()))
    if missing:
        raise DataSetError(
            f"No image of {', '.join(labels[label] for label in missing)} is left to train on: {_named(broken)} "
            "cannot be decoded; add images that can."
        )


class _Measured(NamedTuple):
    sizes: npt.NDArray[np.int32]
    brightness: npt.NDArray[np.float32]
    fingerprints: Fingerprints


class _Decoding:
    """One split while it is being decoded."""

    def __init__(self, decoder: SplitDecoder, pixels: PixelStore[np.uint8]) -> None:
        self._decoder = decoder
        self._pixels = pixels
        self._good: list[LabelledImage] = []
        self._broken: list[BrokenImage] = []
        self._measured: list[_Measured] = []
        self._measuring: Future[_Measured] | None = None

    def add(self, files: list[ImageFile], threads: ThreadPoolExecutor) -> None:
        """Decode a batch, keep the good images, and note what is wrong with the others."""
        decoded = self._decoder.decode_variants([file.content for file in files])
        if self._decoder.kernels:
            variants = decoded.variants[decoded.valid]
            self._pixels.write(len(self._good), variants if len(self._decoder.kernels) > 1 else variants[:, 0])
        self._collect()  # one batch is measured beside the decoding of the next, not more
        self._measuring = threads.submit(_measure, decoded)
        for file, valid in zip(files, decoded.valid, strict=True):
            if valid:
                self._good.append(file.image)
            else:
                reason = file.reason or why_broken(file.content, self._decoder.image_input)
                self._broken.append(BrokenImage(file.image.path, reason))

    def finish(self) -> DecodedSplit:
        self._collect()
        if not self._good:
            raise DataSetError(f"No image of a split can be decoded: {_named(self._broken)}; add some that can.")
        self._pixels.keep_first(len(self._good))
        return DecodedSplit(
            self._pixels,
            np.array([image.label for image in self._good], np.int32),
            self._good,
            self._broken,
            np.concatenate([measured.sizes for measured in self._measured]),
            np.concatenate([measured.brightness for measured in self._measured]),
            Fingerprints.joined([measured.fingerprints for measured in self._measured]),
        )

    def _collect(self) -> None:
        if self._measuring:
            self._measured.append(self._measuring.result())
            self._measuring = None


def _measure(decoded: DecodedVariants) -> _Measured:
    pixels = decoded.pixels[decoded.valid]
    return _Measured(decoded.sizes[decoded.valid], brightness_of(pixels), fingerprints_of(pixels))


def _row_shape(decoder: SplitDecoder) -> tuple[int, ...]:
    if not decoder.kernels:
        return (0,)
    shape = (decoder.image_input.height, decoder.image_input.width, 3)
    return (len(decoder.kernels), *shape) if len(decoder.kernels) > 1 else shape


def _named(broken: Sequence[BrokenImage]) -> str:
    first = ", ".join(f"{plain_name(image.path)} ({image.reason})" for image in broken[:_NAMED])
    return f"{len(broken)} images, among them {first}" if len(broken) > _NAMED else first
