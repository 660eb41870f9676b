"""What an inspection found, field by field as `graft data inspect --json` prints it; paths begin in the folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.data.image_folder import Split

SCHEMA = "1.0"
Layout = Literal["splits", "classes", "unclear"]


@dataclass(frozen=True)
class ClassCounts:
    """A class: how many image files it has, in all and by split (None where there are no splits), broken ones too."""

    name: str
    images: int
    train: int | None
    val: int | None
    test: int | None
    broken: int


@dataclass(frozen=True)
class FoundImage:
    """An image file, with its split and class; the split is None where there are none."""

    file: str
    split: Split | None
    label: str


@dataclass(frozen=True)
class BrokenFile:
    """An image file that cannot be decoded, and why; training leaves it out."""

    file: str
    split: Split | None
    label: str
    reason: str


@dataclass(frozen=True)
class SkippedEntry:
    """A file or folder that is no image of the data set, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class CopyGroup:
    """Images that are one: `same_content` where all have the same pixels at the model's size, else nearly the same.

    `across` says what they should not be in both of: splits, classes, or neither.
    """

    images: Sequence[FoundImage]
    same_content: bool
    across: Sequence[Literal["splits", "classes"]]


@dataclass(frozen=True)
class LeakPair:
    """A pair for which training refuses the folder; `distance` is in how many of 64 bits the hashes differ."""

    first: FoundImage
    second: FoundImage
    same_content: bool
    distance: int


@dataclass(frozen=True)
class Extent:
    """The smallest, middle and largest of some numbers."""

    smallest: int
    median: float
    largest: int


@dataclass(frozen=True)
class ImageSizes:
    """Widths, heights and their products, in pixels as stored in the files; None where nothing could be decoded."""

    width: Extent
    height: Extent
    pixels: Extent


@dataclass(frozen=True)
class FolderWarning:
    """What training would accept, but a person should look at; `code` is for scripts."""

    code: Literal["few_images", "unequal_classes", "small_images", "hidden_folder", "broken_images", "copies"]
    message: str


@dataclass(frozen=True)
class FolderInspection:
    """What is in a folder of images. `rejections` are the sentences with which training would refuse it, if it would.

    `layout` is "splits" where the folder has its own, "classes" where Graft splits (with `seed`), "unclear" where it is
    refused before. `split_folders` are the names of folders by split. `samples` are a few images of each class that
    could be decoded.
    """

    folder: str
    accepted: bool
    rejections: Sequence[str]
    layout: Layout
    split_folders: dict[str, str]
    seed: int
    note: str
    images: int
    classes: Sequence[ClassCounts]
    samples: dict[str, Sequence[str]]
    formats: dict[str, int]
    sizes: ImageSizes | None
    broken: Sequence[BrokenFile]
    skipped: Sequence[SkippedEntry]
    copies: Sequence[CopyGroup]
    leaks: Sequence[LeakPair]
    warnings: Sequence[FolderWarning]
    schema: str = SCHEMA
