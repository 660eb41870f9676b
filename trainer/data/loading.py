"""Loading the images of a run: decoding them, and refusing broken files and leakage."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from contract.image_input import ImageInput
from trainer.config import TrainingConfig
from trainer.data.decoded_split import DecodedSplit, check_broken, decode_split
from trainer.data.folders.walk import plain_name
from trainer.data.image_folder import ImageFolder, Split
from trainer.data.leakage import Leak, check_leakage, find_leaks, in_words, list_leaks, refused_leaks
from trainer.data.pixel_store import MemoryBudget
from trainer.data.preprocessing import ImageDecoder
from trainer.errors import DataSetError
from trainer.progress import Progress


@dataclass(frozen=True)
class LoadedImages:
    """The decoded images of a run, and the leaks among them. Use it in a `with`: it holds memory and disk space."""

    found: ImageFolder
    image_input: ImageInput
    splits: dict[Split, DecodedSplit]
    """Without test where there is no test split."""
    leaks: list[Leak]
    budget: MemoryBudget

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for split in self.splits.values():
            split.pixels.close()


def load_images(
    found: ImageFolder, image_input: ImageInput, config: TrainingConfig, progress: Progress, leakage_file: Path
) -> LoadedImages:
    """Decode every image once, and resize the training images by each kernel in the settings.

    Leaks that are refused are written to `leakage_file`. Near copies in splits that were made here with copies together
    are told and not refused: nobody can do anything about those that a thumbnail did not show.

    Raises:
        DataSetError: no image can be decoded, or one cannot and the settings are strict.
        LeakageError: an image is in two splits, or in two classes.
    """
    progress.on_note(_found_note(found))
    progress.on_work("reading images", sum(len(images) for images in found.images.values()))
    budget = MemoryBudget(config.data.memory_budget_mb)
    as_served = ImageDecoder(image_input)
    kernels = config.augmentation.resize_kernels
    decoders = {"train": ImageDecoder(image_input, kernels) if kernels else as_served}
    splits = {
        split: decode_split(found.images[split], decoders.get(split, as_served), budget, progress.on_step)
        for split in found.splits
    }
    for broken in (broken for split in splits.values() for broken in split.broken):
        progress.on_note(f"left out, {broken.reason}: {plain_name(broken.path)}")
    check_broken(splits, found.labels, config.data.strict)
    progress.on_work("looking for images in two splits or classes", 1)
    leaks = find_leaks(splits)
    refused = refused_leaks(leaks, found)
    allow = config.data.allow_leakage
    check_leakage(refused, allow, list_leaks(leakage_file, refused, found.labels) if refused and not allow else "")
    if leaks:
        progress.on_note(f"{'Allowed' if refused else 'Found in the splits that were made here'}: {in_words(leaks)}.")
    return LoadedImages(found, image_input, splits, leaks, budget)


def check_same_images(found: ImageFolder, digest: str) -> None:
    """Raise DataSetError if the images do not have this digest."""
    if found.digest() != digest:
        raise DataSetError(
            "The images have changed since the run started (another digest), so it cannot be resumed; "
            "restore them, or start a new run."
        )


def _found_note(found: ImageFolder) -> str:
    counts = ", ".join(f"{len(found.images[split])} {split}" for split in found.splits)
    reasons = Counter(each.reason for each in found.skipped)
    over = "".join(f"; {number} skipped, {reason}" for reason, number in sorted(reasons.items()))
    note = f". {found.note}" if found.note else ""
    return f"{len(found.labels)} classes ({', '.join(found.labels)}); images: {counts}{over}{note}"
