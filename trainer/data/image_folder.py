"""Labelled images on disk: finding them, and splitting them into train, val and test. No TensorFlow here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from contract.digests import digest_of_entries
from trainer.config import DataSettings
from trainer.data.copies.division import Groups, divide
from trainer.data.copies.groups import groups_of_copies
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
from trainer.progress import Progress

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

NO_TEST = "No test split was taken (--no-test)."
"""What the console, the record and the report say then."""

_PURPOSES: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
_SPREAD_COPIES = "--set data.copies_together=false --allow-leakage"


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
    divided: tuple[Split, ...] = ()
    """The splits that were made here of one folder, copies kept together: near copies are in one of them."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that there are: all, or all but test."""
        return tuple(split for split in SPLITS if self.images[split] or split != "test")

    @property
    def held_out(self) -> Split:
        """The split that says how good a model is: test, or val where there is none."""
        return self.splits[-1]

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
            for split in self.splits
            for image in self.images[split]
        ]

    def counts(self) -> dict[Split, dict[str, int]]:
        """Return the number of images of each class in each split, broken ones included."""
        numbers = {split: Counter(image.label for image in self.images[split]) for split in self.splits}
        return {split: {name: of[label] for label, name in enumerate(self.labels)} for split, of in numbers.items()}

    def _all(self) -> Iterator[LabelledImage]:
        return (image for split in SPLITS for image in self.images[split])


def find_images(folder: Path, settings: DataSettings, seed: int, progress: Progress | None = None) -> ImageFolder:
    """Find the images of `CLASS/*` (split here, seeded and stratified) or `train|val|test/CLASS/*`.

    Copies of an image, near ones too, are kept together in one split, so that a split made here never tests on training
    images. Where images are split here, each is decoded to a thumbnail, which `progress` shows.

    Raises:
        DataSetError: the folder does not exist, or has fewer than two classes or too few images.
    """
    if not folder.is_dir():
        raise DataSetError(
            f"There is no folder {plain_name(folder)}; give a folder with one sub-folder of images per class."
        )
    division = _Division(settings, seed, progress or Progress())
    if named := split_folders(folder, sorted(_listed(folder))):
        return _read_given_splits(
            folder, {split: named[split] for split in SPLITS if split in named}, division, settings
        )
    classes = read_classes(folder)
    _refuse_splits_by_other_names(folder, classes.labels)
    made: tuple[Split, ...] = ("val", "test") if settings.test_split else ("val",)
    folders = [folder / label for label in classes.labels]
    paths = division.divide(classes.paths, folders, (*made, "train"), settings.sizes)
    images = {split: _labelled(paths[split]) if split in paths else [] for split in SPLITS}
    note = "" if settings.test_split else NO_TEST
    return ImageFolder(classes.labels, images, classes.skipped, division.digests, note, division.made(paths))


class LabelledFolder(NamedTuple):
    """The contents of a folder of class folders: `paths[label]` are the images of `labels[label]`."""

    labels: tuple[str, ...]
    paths: list[list[Path]]
    skipped: list[SkippedFile]


class _Division:
    """Divides images among splits, and keeps the digests of files that it read for it."""

    def __init__(self, settings: DataSettings, seed: int, progress: Progress) -> None:
        self.digests: dict[Path, str] = {}
        self._together = settings.copies_together
        self._seed = seed
        self._progress = progress

    def divide(
        self, paths: list[list[Path]], folders: list[Path], splits: tuple[Split, ...], sizes: Callable[[int], list[int]]
    ) -> dict[Split, list[list[Path]]]:
        """Return the images of each class in each of `splits`; `sizes` are those of all but the last.

        Raises:
            DataSetError: a class has too few different images.
        """
        groups = self._groups(paths)
        for folder, its_paths, its_groups in zip(folders, paths, groups, strict=True):
            self._check_enough(folder, its_paths, len(its_groups), splits)
        parts = divide(groups, sizes, self._seed, by_images=self._together)
        for folder, of_class in zip(folders, parts, strict=True):
            if not all(of_class):
                raise DataSetError(
                    f"Nearly all images of {plain_name(folder)} are copies of images of other classes, so that a split "
                    f"has none of its own; take those out, or train with {_SPREAD_COPIES}."
                )
        return {split: [of_class[part] for of_class in parts] for part, split in enumerate(splits)}

    def made(self, paths: dict[Split, list[list[Path]]]) -> tuple[Split, ...]:
        """Return the splits that near copies were kept together in."""
        return tuple(paths) if self._together else ()

    def _groups(self, paths: list[list[Path]]) -> list[Groups]:
        if not self._together:  # as runs were split before near copies were kept together
            number_of = count()
            return [{next(number_of): its for its in same_bytes_together(each, self.digests)} for each in paths]
        number = groups_of_copies([path for its_paths in paths for path in its_paths], self.digests, self._progress)
        groups: list[Groups] = [defaultdict(list) for _ in paths]
        for of_class, its_paths in zip(groups, paths, strict=True):
            for path in its_paths:
                of_class[number[path]].append(path)
        return groups

    def _check_enough(self, folder: Path, paths: list[Path], groups: int, splits: tuple[Split, ...]) -> None:
        if groups >= len(splits):
            return
        purposes = [_PURPOSES[split] for split in SPLITS if split in splits]
        without_test = "" if "train" in splits else "without a folder named test "
        needed = (
            f"{without_test}each class needs at least {len(splits)}, one each to {', '.join(purposes[:-1])} and "
            f"{purposes[-1]}"
        )
        if groups == len(same_bytes_together(paths, self.digests)):
            different = "different " if groups < len(paths) else ""
            raise DataSetError(f"{plain_name(folder)} has {groups} {different}image{'s' * (groups > 1)}; {needed}.")
        copies = "they are all" if groups == 1 else f"there are {groups} different ones, the others are"
        raise DataSetError(
            f"{plain_name(folder)} has {len(paths)} images, but {copies} near copies (a burst, or re-encoded), which "
            f"stay in one split, and {needed}; add some that differ, or train with {_SPREAD_COPIES}, which tests on "
            "copies of training images."
        )


def _read_given_splits(
    folder: Path, given: dict[Split, Path], division: _Division, settings: DataSettings
) -> ImageFolder:
    if "val" not in given:
        raise DataSetError(
            f"{plain_name(folder)} has a folder {given['train'].name} but none named val; give train, val and test, or "
            "only class folders, which are then split for you."
        )
    unused = given.get("test") if not settings.test_split else None
    given = {split: path for split, path in given.items() if path != unused}
    read = {split: read_classes(path) for split, path in given.items()}
    labels = read["train"].labels
    paths = {split: _in_order(classes, labels, given[split], given["train"]) for split, classes in read.items()}
    skipped = [
        SkippedFile(path, "not used, since no test split is taken" if path == unused else "beside train, val and test")
        for path in sorted(folder.iterdir())
        if path not in given.values()
    ]
    note = "" if settings.test_split else NO_TEST
    made: tuple[Split, ...] = ()
    if "test" not in given and settings.test_split:
        folders = [given["val"] / label for label in labels]
        halves = division.divide(paths["val"], folders, ("val", "test"), lambda images: [-(-images // 2)])
        paths, made = {**paths, **halves}, division.made(halves)
        note = f"{plain_name(folder)} has no folder named test: half of {given['val'].name} is used to test."
    return ImageFolder(
        labels,
        {split: _labelled(paths[split]) if split in paths else [] for split in SPLITS},
        skipped + [each for split in SPLITS if split in read for each in read[split].skipped],
        division.digests,
        note,
        made,
    )


def _in_order(classes: LabelledFolder, labels: tuple[str, ...], folder: Path, train: Path) -> list[list[Path]]:
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


def _labelled(paths: list[list[Path]]) -> list[LabelledImage]:
    return [LabelledImage(path, label) for label, its_paths in enumerate(paths) for path in its_paths]


def read_classes(folder: Path, fewest: int = 2) -> LabelledFolder:
    """Find the images of a folder of class folders, at least the `fewest`.

    Raises:
        DataSetError: it has fewer, or a class cannot be used.
    """
    children = sorted(_listed(folder))
    classes = [path for path in children if _is_class_folder(path)]
    if len(classes) < fewest:
        least = "each of at least two classes" if fewest > 1 else "each class"
        raise DataSetError(
            f"{plain_name(folder)} needs one sub-folder of images for {least}; it has {len(classes)}."
            f"{_where_classes_may_be(children, classes)}"
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
    return LabelledFolder(labels, paths, skipped)


def _is_class_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.name.casefold() not in SYSTEM_FOLDERS


def _where_classes_may_be(children: list[Path], classes: list[Path]) -> str:
    """Say which folder may be the one that is meant, or meant as a class; empty if none is."""
    for path in children:
        if (why := _why_no_class(path)).startswith("a hidden folder, ") and path not in classes:
            return f" There is {why}: if it is a class, rename it without the leading dot."
    if len(classes) == 1 and len(inside := [path for path in _listed(classes[0]) if _is_class_folder(path)]) > 1:
        return f" If the {len(inside)} folders in {plain_name(classes[0])} are the classes or splits, give that folder."
    return ""


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
