"""Labelled images on disk: finding them, and splitting them into train, val and test. No TensorFlow here."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from contract.digests import digest_of_entries
from trainer.config import DataSettings
from trainer.data.file_digests import digests_of, same_bytes_together
from trainer.data.folders.names import (
    are_splits,
    class_key,
    label_of,
    refuse_equal_names,
    split_folders,
)
from trainer.data.folders.walk import SYSTEM_FOLDERS, SkippedFile, plain_name, walk
from trainer.errors import DataSetError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_FEWEST_PER_CLASS = 3  # one for each split


@dataclass(frozen=True)
class LabelledImage:
    """An image file and the index of its class."""

    path: Path
    label: int


class ImageEntry(NamedTuple):
    """One image of a data set: its split, its class, and the digest of its file."""

    split: Split
    label: str
    path: Path
    digest: str


@dataclass(frozen=True)
class ImageFolder:
    """The images of a data set by split, the class names in label order, and the files that were skipped."""

    labels: tuple[str, ...]
    images: dict[Split, list[LabelledImage]]
    skipped: list[SkippedFile]
    _digests: dict[Path, str] = field(default_factory=dict, repr=False, compare=False)
    note: str = ""
    """What was decided about the splits, as a sentence for people; empty if nothing was."""

    def digest(self) -> str:
        """Return the digest of all images: of their splits, classes, file names and contents, whatever the folder.

        Raises:
            DataSetError: a file can no longer be read.
        """
        return digest_of_entries(
            (f"{entry.split}/{entry.label}/{plain_name(entry.path.name)}", entry.digest) for entry in self.entries()
        )

    def entries(self, on_progress: Callable[[int], None] = lambda _: None) -> list[ImageEntry]:
        """Return an entry for each image, broken ones included, split by split; `digest` is computed from these.

        Each file is read once, however often this is called. `on_progress` is called with the number of files just
        read.

        Raises:
            DataSetError: a file can no longer be read.
        """
        unread = [image.path for image in self._all() if image.path not in self._digests]
        for path, digest in digests_of(unread):
            self._digests[path] = digest
            on_progress(1)
        return [
            ImageEntry(split, self.labels[image.label], image.path, self._digests[image.path])
            for split in SPLITS
            for image in self.images[split]
        ]

    def counts(self) -> dict[Split, dict[str, int]]:
        """Return the number of images of each class in each split, broken ones included."""
        numbers = {split: Counter(image.label for image in self.images[split]) for split in SPLITS}
        return {split: {name: numbers[split][label] for label, name in enumerate(self.labels)} for split in SPLITS}

    def _all(self) -> Iterator[LabelledImage]:
        return (image for split in SPLITS for image in self.images[split])


def find_images(folder: Path, settings: DataSettings, seed: int) -> ImageFolder:
    """Find the images of `CLASS/*` (split here, seeded and stratified) or `train|val|test/CLASS/*`.

    Files with the same bytes are kept together in one split, so that a split made here never tests on training
    images.

    Raises:
        DataSetError: the folder does not exist, or has fewer than two classes or too few images.
    """
    if not folder.is_dir():
        raise DataSetError(
            f"There is no folder {plain_name(folder)}; give a folder with one sub-folder of images per class."
        )
    if named := split_folders(folder, sorted(_listed(folder))):
        return _read_given_splits(folder, {split: named[split] for split in SPLITS if split in named}, seed)
    classes = _read_classes(folder)
    _refuse_splits_by_other_names(folder, classes.labels)
    digests: dict[Path, str] = {}
    images: dict[Split, list[LabelledImage]] = {split: [] for split in SPLITS}
    for label, paths in enumerate(classes.paths):
        random = np.random.default_rng([seed, label])
        parts = _split(folder / classes.labels[label], paths, settings, random, digests)
        for split, part in parts.items():
            images[split] += [LabelledImage(path, label) for path in part]
    return ImageFolder(classes.labels, images, classes.skipped, digests)


class _Classes(NamedTuple):
    """The contents of a folder of class folders: `paths[label]` are the images of `labels[label]`."""

    labels: tuple[str, ...]
    paths: list[list[Path]]
    skipped: list[SkippedFile]


def _read_given_splits(folder: Path, given: dict[Split, Path], seed: int) -> ImageFolder:
    if "val" not in given:
        raise DataSetError(
            f"{plain_name(folder)} has a folder {given['train'].name} but none named val; give train, val and test, or "
            "only class folders, which are then split for you."
        )
    read = {split: _read_classes(path) for split, path in given.items()}
    labels = read["train"].labels
    paths = {split: _in_order(classes, labels, given[split], given["train"]) for split, classes in read.items()}
    skipped = [
        SkippedFile(path, "beside train, val and test")
        for path in sorted(folder.iterdir())
        if path not in given.values()
    ]
    digests: dict[Path, str] = {}
    note = ""
    if "test" not in given:
        paths["val"], paths["test"] = _halves(paths["val"], given["val"], labels, seed, digests)
        note = f"{plain_name(folder)} has no folder named test: half of {given['val'].name} is used to test."
    return ImageFolder(
        labels,
        {split: _labelled(paths[split]) for split in SPLITS},
        skipped + [each for split in SPLITS if split in read for each in read[split].skipped],
        digests,
        note=note,
    )


def _in_order(classes: "_Classes", labels: tuple[str, ...], folder: Path, train: Path) -> list[list[Path]]:
    """Return the images of each class, in the order of the labels, which may be spelled otherwise here.

    Raises:
        DataSetError: the classes are not the same.
    """
    places = {class_key(label): index for index, label in enumerate(classes.labels)}
    if odd := set(map(class_key, labels)) ^ set(places):
        names = sorted(label for label in {*labels, *classes.labels} if class_key(label) in odd)
        raise DataSetError(
            f"{plain_name(folder)} and {plain_name(train)} must have the same classes; "
            f"only one of them has {', '.join(names)}."
        )
    return [classes.paths[places[class_key(label)]] for label in labels]


def _halves(
    paths: list[list[Path]], folder: Path, labels: tuple[str, ...], seed: int, digests: dict[Path, str]
) -> tuple[list[list[Path]], list[list[Path]]]:
    """Divide the images of each class in two, those with the same bytes together.

    Raises:
        DataSetError: a class has a single one.
    """
    first: list[list[Path]] = []
    second: list[list[Path]] = []
    for label, its_paths in enumerate(paths):
        groups = same_bytes_together(its_paths, digests)
        if len(groups) < 2:
            raise DataSetError(
                f"{plain_name(folder)} has a single image of {labels[label]}; without a folder named test each class "
                "needs at least two different ones, one each to validate and to test."
            )
        order = np.random.default_rng([seed, label]).permutation(len(groups))
        middle = -(-len(groups) // 2)
        for half, chosen in ((first, order[:middle]), (second, order[middle:])):
            half.append(sorted(path for index in chosen for path in groups[index]))
    return first, second


def _labelled(paths: list[list[Path]]) -> list[LabelledImage]:
    return [LabelledImage(path, label) for label, its_paths in enumerate(paths) for path in its_paths]


def _read_classes(folder: Path) -> _Classes:
    children = sorted(_listed(folder))
    classes = [
        path
        for path in children
        if path.is_dir() and not path.name.startswith(".") and path.name.casefold() not in SYSTEM_FOLDERS
    ]
    if len(classes) < 2:
        raise DataSetError(
            f"{plain_name(folder)} needs one sub-folder of images for each of at least two classes; "
            f"it has {len(classes)}."
        )
    skipped = [SkippedFile(path, _why_no_class(path)) for path in children if path not in classes]
    labels = tuple(map(label_of, classes))
    refuse_equal_names(folder, [path.name for path in classes])
    paths: list[list[Path]] = []
    for class_folder in classes:
        found = walk(class_folder)
        if not found.images:
            raise DataSetError(_why_empty(class_folder, found.skipped))
        paths.append(found.images)
        skipped += found.skipped
    return _Classes(labels, paths, skipped)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataSetError(f"The folder {plain_name(folder)} cannot be read: {error.strerror}.") from error


def _why_no_class(path: Path) -> str:
    """Say why a child of a folder of classes is none. One that is hidden, and has images, may be meant as a class."""
    if not path.is_dir():
        return "not in a class folder"
    if path.name.casefold() in SYSTEM_FOLDERS:
        return "a folder of the system"
    images = len(walk(path).images) if path.name.startswith(".") else 0
    return f"a hidden folder, {plain_name(path.name)}, with {images} images" if images else "not in a class folder"


def _why_empty(class_folder: Path, skipped: list[SkippedFile]) -> str:
    first = f"; skipped: {plain_name(skipped[0].path.name)}, {skipped[0].reason}" if skipped else ""
    return f"{plain_name(class_folder)} has no images (JPEG, PNG, BMP or WebP); add some or remove the folder{first}."


def _refuse_splits_by_other_names(folder: Path, labels: tuple[str, ...]) -> None:
    if are_splits(labels):
        raise DataSetError(
            f"The folders {', '.join(labels)} of {plain_name(folder)} look like splits, not classes; "
            "name them train, val and test."
        )


def _split(
    folder: Path, paths: list[Path], settings: DataSettings, random: np.random.Generator, digests: dict[Path, str]
) -> dict[Split, list[Path]]:
    groups = same_bytes_together(paths, digests)
    if len(groups) < _FEWEST_PER_CLASS:
        different = "different " if len(groups) < len(paths) else ""
        raise DataSetError(
            f"{plain_name(folder)} has {len(groups)} {different}images; each class needs at least "
            f"{_FEWEST_PER_CLASS}, one each to train, validate and test."
        )
    shuffled = [groups[index] for index in random.permutation(len(groups))]
    val = max(1, round(len(groups) * settings.validation_share))
    test = max(1, min(round(len(groups) * settings.test_share), len(groups) - val - 1))
    parts = {"val": shuffled[:val], "test": shuffled[val : val + test], "train": shuffled[val + test :]}
    return {split: sorted(path for group in parts[split] for path in group) for split in SPLITS}
