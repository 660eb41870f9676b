"""Reading the pictures of a run, and refusing what would make its results worthless."""

from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from contract.image_input import ImageInput
from trainer.config import TrainingConfig
from trainer.data.decoded_split import DecodedSplit, check_broken, decode_split
from trainer.data.folder_walk import plain_name
from trainer.data.image_folder import SPLITS, PictureFolder, Split
from trainer.data.leakage import Leak, check_leakage, find_leaks
from trainer.data.pixel_store import MemoryBudget
from trainer.data.preprocessing import PictureDecoder
from trainer.errors import DataSetError
from trainer.progress import Progress


@dataclass(frozen=True)
class LoadedPictures:
    """The decoded pictures of a run, and what was found in them. Use it in a `with`: it holds memory and disk."""

    found: PictureFolder
    image_input: ImageInput
    splits: dict[Split, DecodedSplit]
    leaks: list[Leak]
    budget: MemoryBudget

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for split in self.splits.values():
            split.pixels.close()


def load_pictures(
    found: PictureFolder, image_input: ImageInput, config: TrainingConfig, progress: Progress
) -> LoadedPictures:
    """Decode every picture once; the training pictures by each kernel that the settings name.

    Raises:
        DataSetError: nothing can be decoded, or something cannot and the settings are strict.
        LeakageError: the same picture is in two splits.
    """
    progress.on_note(_found_note(found))
    progress.on_work("reading pictures", sum(len(pictures) for pictures in found.pictures.values()))
    budget = MemoryBudget(config.data.memory_budget_mb)
    as_served = PictureDecoder(image_input)
    kernels = config.augmentation.resize_kernels
    decoders = {"train": PictureDecoder(image_input, kernels) if kernels else as_served}
    splits = {
        split: decode_split(found.pictures[split], decoders.get(split, as_served), budget, progress.on_step)
        for split in SPLITS
    }
    for broken in (broken for split in SPLITS for broken in splits[split].broken):
        progress.on_note(f"left out, {broken.reason}: {plain_name(broken.path)}")
    check_broken(splits, found.labels, config.data.strict)
    progress.on_work("looking for the same picture in two splits", 1)
    leaks = find_leaks(splits)
    check_leakage(leaks, config.data.allow_leakage)
    if leaks:
        progress.on_note(f"{len(leaks)} pictures are in two splits (allowed): what is measured here is too good.")
    return LoadedPictures(found, image_input, splits, leaks, budget)


def check_same_pictures(found: PictureFolder, digest: str) -> None:
    """Raise DataSetError where the pictures are not those of this digest."""
    if found.digest() != digest:
        raise DataSetError(
            "The pictures are not those that the run began with (another digest), so that it cannot go on to the same "
            "end; put them back, or start a new run."
        )


def _found_note(found: PictureFolder) -> str:
    counts = ", ".join(f"{len(found.pictures[split])} {split}" for split in SPLITS)
    reasons = Counter(passed.reason for passed in found.skipped)
    over = "".join(f"; {number} passed over, {reason}" for reason, number in sorted(reasons.items()))
    return f"{len(found.labels)} classes ({', '.join(found.labels)}); pictures: {counts}{over}"
