"""The images of each split, measured: decoded by Pillow, their fingerprints and sizes kept, their pixels not."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from contract.image_input import ImageInput
from trainer.data.broken_images import BrokenImage, why_broken
from trainer.data.decoded_split import DecodedSplit, decode_split
from trainer.data.image_files import read_ahead
from trainer.data.image_folder import SPLITS, ImageFolder, LabelledImage, Split
from trainer.data.pixel_store import MemoryBudget
from trainer.errors import DataSetError
from trainer.inspection.decoding import PillowDecoder


@dataclass(frozen=True)
class MeasuredFolder:
    """The splits that have an image, all broken files by split, the formats, and why a split cannot be used."""

    splits: dict[Split, DecodedSplit] = field(default_factory=dict)
    broken: dict[Split, list[BrokenImage]] = field(default_factory=dict)
    formats: Counter[str] = field(default_factory=Counter)
    rejections: list[str] = field(default_factory=list)


def measure(found: ImageFolder, image_input: ImageInput, on_progress: Callable[[int], None]) -> MeasuredFolder:
    """Decode every image as training does, and keep some 4 KB of each.

    `on_progress` is called with the number of images just decoded.
    """
    measured = MeasuredFolder()
    for split in SPLITS:
        images = found.images[split]
        if not images:
            continue
        with PillowDecoder(image_input) as decoder:
            try:
                decoded = decode_split(images, decoder, MemoryBudget(0), on_progress)
            except DataSetError as error:  # none of the split can be decoded
                measured.rejections.append(str(error))
                measured.broken[split] = _all_broken(images, image_input)
                continue
            measured.splits[split] = decoded
            measured.broken[split] = decoded.broken
            measured.formats.update(decoder.formats)
    return measured


def _all_broken(images: list[LabelledImage], image_input: ImageInput) -> list[BrokenImage]:
    with ThreadPoolExecutor(2) as threads:
        return [
            BrokenImage(file.image.path, file.reason or why_broken(file.content, image_input))
            for files in read_ahead(images, image_input, threads)
            for file in files
        ]
