"""The images that a mobile bundle is made with and judged by, decoded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from exporter.errors import FixtureError
from exporter.tflite.graph import PixelGraph, Pixels, Probabilities
from exporter.tflite.resize import stretch_file
from trainer.data.decoded_split import decode_split
from trainer.data.image_folder import LabelledImage
from trainer.data.pixel_store import MemoryBudget, PixelStore
from trainer.data.preprocessing import ImageDecoder

REPRESENTATIVES = 100
"""Enough that no range of activations hangs on a single image."""

_BATCH = 32
_MEMORY_MEGABYTES = 1024


@dataclass(frozen=True)
class TestImages:
    """Decoded test images: `prepared` by our preprocessing and `stretched` as a phone does it, uint8 [H, W, 3].

    `labels` int32 [N] are the truth, `reference` float32 [N, C] the SavedModel's answers to those prepared.
    """

    __test__ = False  # not a test class for pytest

    paths: list[Path]
    labels: npt.NDArray[np.int32]
    prepared: PixelStore[np.uint8]
    stretched: PixelStore[np.uint8]
    reference: Probabilities

    def __len__(self) -> int:
        return len(self.labels)

    def close(self) -> None:
        """Give back memory and disk."""
        self.prepared.close()
        self.stretched.close()


def choose_representatives(
    images: Sequence[LabelledImage], seed: int, count: int = REPRESENTATIVES
) -> list[LabelledImage]:
    """Choose at most `count` training images at random, as many of each class as there are."""
    random = np.random.default_rng(seed)
    by_class: dict[int, list[LabelledImage]] = {}
    for place in random.permutation(len(images)):
        by_class.setdefault(images[place].label, []).append(images[place])
    turns = max(len(of_class) for of_class in by_class.values())
    in_turn = [
        of_class[turn] for turn in range(turns) for _, of_class in sorted(by_class.items()) if turn < len(of_class)
    ]
    return in_turn[:count]


def decode_representatives(
    images: Sequence[LabelledImage], decoder: ImageDecoder, on_progress: Callable[[int], None]
) -> Pixels:
    """Return images as the network is served them, uint8 [K, H, W, 3]; broken ones are left out.

    Raises:
        DataSetError: none can be decoded.
    """
    split = decode_split(images, decoder, MemoryBudget(_MEMORY_MEGABYTES), on_progress)
    pixels = split.pixels.take(np.arange(len(split.pixels)))
    split.pixels.close()
    return pixels


def decode_test_images(
    images: Sequence[LabelledImage], decoder: ImageDecoder, graph: PixelGraph, on_progress: Callable[[int], None]
) -> TestImages:
    """Decode test images in both ways and ask the SavedModel about them; broken ones are left out.

    Raises:
        DataSetError: none can be decoded.
        FixtureError: the SavedModel answers with NaN.
    """
    budget = MemoryBudget(_MEMORY_MEGABYTES)
    split = decode_split(images, decoder, budget, on_progress)
    stretched = PixelStore(len(split.labels), split.pixels.shape, np.uint8, budget)
    for place, image in enumerate(split.images):
        stretched.write(place, stretch_file(image.path, decoder.image_input)[None])
        on_progress(1)
    reference = np.concatenate([graph.predict(rows) for rows in in_batches(split.pixels)])
    if not np.isfinite(reference).all():
        raise FixtureError("The SavedModel answers test images with NaN; train and export again.")
    paths = [image.path for image in split.images]
    return TestImages(paths, split.labels, split.pixels, stretched, reference)


def in_batches(pixels: PixelStore[np.uint8]) -> Iterator[Pixels]:
    """Yield stored images in order, uint8 [B, H, W, 3]."""
    for start in range(0, len(pixels), _BATCH):
        yield pixels.take(np.arange(start, min(start + _BATCH, len(pixels))))
