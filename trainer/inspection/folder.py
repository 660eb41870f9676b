"""The inspection of a folder of images, step by step: found, decoded, compared, as training does it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from trainer.config import TrainingConfig
from trainer.data.decoded_split import DecodedSplit, check_broken
from trainer.data.fingerprints import Fingerprints
from trainer.data.image_folder import SPLITS, ImageFolder, Split, find_images
from trainer.data.leakage import Leak, check_leakage, find_leaks, refused_leaks
from trainer.errors import DataSetError, TrainerError
from trainer.inspection.copies import copy_groups
from trainer.inspection.measuring import MeasuredFolder, measure
from trainer.inspection.outline import outline, split_folders_in
from trainer.inspection.results import (
    BrokenFile,
    ClassCounts,
    CopyGroup,
    Extent,
    FolderInspection,
    FoundImage,
    ImageSizes,
    LeakPair,
    SkippedEntry,
)
from trainer.inspection.warnings import warnings_of
from trainer.progress import Progress

LEAKS_LISTED = "The pairs are listed here."
"""Instead of where `graft train` writes them."""
_LARGE = 1000
_SAMPLES = 8
"""Images of each class that a contact sheet shows."""


def inspect_folder(
    folder: Path, config: TrainingConfig, image_input: ImageInput, progress: Progress
) -> FolderInspection:
    """Return what is in a folder, and whether training with these settings would accept it; writes nothing.

    Where training would refuse it at first sight, what it seems to hold is inspected all the same.
    """
    progress.on_work("looking for images", 1)
    rejections: list[str] = []
    try:
        found = find_images(folder, config.data, config.seed)
    except DataSetError as error:
        rejections.append(str(error))
        found = outline(folder)
    first_sight = not rejections
    number = sum(map(len, found.images.values()))
    if number >= _LARGE:
        progress.on_note(f"Reading {number:,} images; Ctrl-C ends it.")
    progress.on_work("reading images", number)
    measured = measure(found, image_input, progress.on_step)
    progress.on_work("looking for copies", 1)
    leaks = find_leaks(measured.splits) if measured.splits else []
    rejections += [*measured.rejections, *_rejections(found, measured, leaks, config, first_sight=first_sight)]
    return _Summary(folder, found, measured, first_sight).inspection(leaks, rejections, config.seed, image_input)


def _rejections(
    found: ImageFolder, measured: MeasuredFolder, leaks: Sequence[Leak], config: TrainingConfig, *, first_sight: bool
) -> Iterator[str]:
    """Yield what training would say of the decoded images; what it cannot come to is left out."""
    if first_sight and all(split in measured.splits for split in SPLITS if found.images[split]):
        try:
            check_broken(measured.splits, found.labels, config.data.strict)
        except TrainerError as error:
            yield str(error)
    try:
        check_leakage(refused_leaks(leaks, found), config.data.allow_leakage, LEAKS_LISTED)
    except TrainerError as error:
        yield str(error)


class _Summary:
    """What was found and measured, as an inspection. Without splits, all images are in one that means nothing."""

    def __init__(self, folder: Path, found: ImageFolder, measured: MeasuredFolder, first_sight: bool) -> None:
        self._folder = folder
        self._found = found
        self._measured = measured
        self._given = split_folders_in(folder)
        self._has_splits = first_sight or bool(self._given)
        self._layout: Literal["splits", "classes", "unclear"] = (
            "splits" if self._given else "classes" if first_sight else "unclear"
        )
        self._of = {
            image.path: FoundImage(
                self._name(image.path), split if self._has_splits else None, found.labels[image.label]
            )
            for split in SPLITS
            for image in found.images[split]
        }

    def inspection(
        self, leaks: Sequence[Leak], rejections: Sequence[str], seed: int, image_input: ImageInput
    ) -> FolderInspection:
        """Put everything together."""
        broken = list(self._broken())
        classes = list(self._classes(broken))
        skipped = [SkippedEntry(self._name(each.path), each.reason) for each in self._found.skipped]
        copies = list(self._copies())
        sizes = _sizes(list(self._measured.splits.values()))
        return FolderInspection(
            folder=str(self._folder),
            accepted=not rejections,
            rejections=rejections,
            layout=self._layout,
            split_folders={split: path.name for split, path in self._given.items()},
            seed=seed,
            note=self._found.note,
            images=len(self._of),
            classes=classes,
            samples=self._samples(),
            formats=dict(self._measured.formats.most_common()),
            sizes=sizes,
            broken=broken,
            skipped=skipped,
            copies=copies,
            leaks=[
                LeakPair(self._of[leak.first], self._of[leak.second], leak.same_content, leak.distance)
                for leak in leaks
            ],
            warnings=list(warnings_of(classes, sizes, image_input.height, broken, skipped, copies)),
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _broken(self) -> Iterator[BrokenFile]:
        for images in self._measured.broken.values():
            for each in images:
                of = self._of[each.path]
                yield BrokenFile(of.file, of.split, of.label, each.reason)

    def _classes(self, broken: Sequence[BrokenFile]) -> Iterator[ClassCounts]:
        counts = self._found.counts()
        left_out = Counter(each.label for each in broken)
        for label in self._found.labels:
            numbers: dict[Split, int] = {split: counts.get(split, {}).get(label, 0) for split in SPLITS}
            by_split: dict[str, int | None] = {split: numbers[split] if self._has_splits else None for split in SPLITS}
            yield ClassCounts(label, sum(numbers.values()), broken=left_out[label], **by_split)

    def _samples(self) -> dict[str, Sequence[str]]:
        files: dict[str, list[str]] = {label: [] for label in self._found.labels}
        for split in self._measured.splits.values():
            for image in split.images:
                of = self._of[image.path]
                files[of.label].append(of.file)
        return {label: _spread(names) for label, names in files.items()}

    def _copies(self) -> Iterator[CopyGroup]:
        if not self._measured.splits:
            return
        splits = list(self._measured.splits.values())
        fingerprints = Fingerprints.joined([split.fingerprints for split in splits])
        images = [self._of[image.path] for split in splits for image in split.images]
        for group in copy_groups(fingerprints):
            members = [images[number] for number in group]
            same = len({fingerprints.content[number] for number in group}) == 1
            across: list[Literal["splits", "classes"]] = []
            across += ["splits"] if len({each.split for each in members}) > 1 else []
            across += ["classes"] if len({each.label for each in members}) > 1 else []
            yield CopyGroup(members, same, across)


def _spread(names: Sequence[str]) -> list[str]:
    """Return a few of the names, from the first to the last."""
    number = min(_SAMPLES, len(names))
    return [names[place * len(names) // number] for place in range(number)]


def _sizes(splits: Sequence[DecodedSplit]) -> ImageSizes | None:
    if not splits:
        return None
    height, width = np.concatenate([split.sizes for split in splits]).astype(np.int64).T
    return ImageSizes(width=_extent(width), height=_extent(height), pixels=_extent(width * height))


def _extent(values: npt.NDArray[np.int64]) -> Extent:
    return Extent(int(values.min()), float(np.median(values)), int(values.max()))
