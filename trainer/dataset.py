"""Labelled pictures on disk: which there are, how they are split, and how they are fed to the network."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.digests import digest_of_entries, digest_of_file
from contract.image_input import ImageInput
from trainer.config import DataSettings
from trainer.errors import DataSetError
from trainer.preprocessing import PictureDecoder, scale_pixels

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
_DECODE_BATCH = 32
_FEWEST_PER_CLASS = 3  # one for each split


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a data set by split, the class names in label order, and what was passed over."""

    labels: tuple[str, ...]
    pictures: dict[Split, list[LabelledPicture]]
    passed_over: int

    def digest(self) -> str:
        """Return the digest of names of split and class together with the contents; folder names aside."""
        return digest_of_entries(
            (f"{split}/{self.labels[picture.label]}/{picture.path.name}", digest_of_file(picture.path))
            for split in SPLITS
            for picture in self.pictures[split]
        )


@dataclass(frozen=True)
class DecodedSplit:
    """Decoded pictures of one split.

    `pixels` uint8 [N, H, W, 3], `labels` int32 [N], and the `pictures` they came from; `broken` were left out.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    pictures: list[LabelledPicture]
    broken: list[Path]


def find_pictures(folder: Path, settings: DataSettings, seed: int) -> PictureFolder:
    """Find the pictures of `CLASS/*` (split here, seeded and stratified) or `train|val|test/CLASS/*`.

    Raises:
        DataSetError: there is no such folder, or it has fewer than two classes or too few pictures.
    """
    if not folder.is_dir():
        raise DataSetError(f"There is no folder {folder}; give a folder with one sub-folder of pictures per class.")
    if (folder / "train").is_dir():
        return _read_given_splits(folder)
    labels, found, passed_over = _read_classes(folder)
    pictures: dict[Split, list[LabelledPicture]] = {split: [] for split in SPLITS}
    for paths, label in _by_class(found):
        for split, part in _split(paths, settings, np.random.default_rng([seed, label])).items():
            pictures[split] += [LabelledPicture(path, label) for path in part]
    return PictureFolder(labels, pictures, passed_over)


def decode_split(
    pictures: list[LabelledPicture],
    decoder: PictureDecoder,
    memory_budget_mb: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> DecodedSplit:
    """Decode every picture once, into memory or, above the budget, into an unnamed file on disk.

    `on_progress` is called with the number of pictures just decoded.

    Raises:
        DataSetError: none of the pictures can be decoded.
    """
    pixels = _room_for(len(pictures), decoder.image_input, memory_budget_mb)
    good: list[LabelledPicture] = []
    broken: list[Path] = []
    for start in range(0, len(pictures), _DECODE_BATCH):
        batch = pictures[start : start + _DECODE_BATCH]
        decoded, valid = decoder.decode([picture.path.read_bytes() for picture in batch])
        kept = [picture for picture, is_good in zip(batch, valid, strict=True) if is_good]
        pixels[len(good) : len(good) + len(kept)] = decoded[valid]
        good += kept
        broken += [picture.path for picture, is_good in zip(batch, valid, strict=True) if not is_good]
        on_progress(len(batch))
    if not good:
        raise DataSetError(f"None of {len(pictures)} pictures can be decoded; the first is {pictures[0].path}.")
    labels = np.array([picture.label for picture in good], np.int32)
    return DecodedSplit(pixels[: len(good)], labels, good, broken)


def batches(split: DecodedSplit, image_input: ImageInput, batch_size: int, shuffle_seed: int | None = None) -> Any:
    """Return a tf.data.Dataset of (float32 [B, H, W, 3] as the network wants it, int32 [B]).

    With a seed the order is another one in each epoch, and the same in each run.
    """

    def take(index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        return split.pixels[index], split.labels[index]

    def read(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, labels = tf.numpy_function(take, [index], [tf.uint8, tf.int32])
        pixels = tf.ensure_shape(pixels, [None, image_input.height, image_input.width, 3])
        return scale_pixels(pixels, image_input), tf.ensure_shape(labels, [None])

    count = len(split.labels)
    order = tf.data.Dataset.range(count)
    if shuffle_seed is not None:
        order = order.shuffle(count, seed=shuffle_seed)
    return order.batch(batch_size).map(read, num_parallel_calls=2, deterministic=True).prefetch(2)


def _read_given_splits(folder: Path) -> PictureFolder:
    missing = [split for split in SPLITS if not (folder / split).is_dir()]
    if missing:
        raise DataSetError(
            f"{folder} has a folder train but none named {' and '.join(missing)}; give all three of "
            "train, val and test, or only class folders, which are then split for you."
        )
    labels, train, passed_over = _read_classes(folder / "train")
    pictures: dict[Split, list[LabelledPicture]] = {"train": train, "val": [], "test": []}
    for split in SPLITS[1:]:
        its_labels, pictures[split], its_passed_over = _read_classes(folder / split)
        passed_over += its_passed_over
        if its_labels != labels:
            odd = ", ".join(sorted(set(labels) ^ set(its_labels)))
            raise DataSetError(
                f"{folder / split} and {folder / 'train'} must have the same classes; only one has {odd}."
            )
    return PictureFolder(labels, pictures, passed_over)


def _read_classes(folder: Path) -> tuple[tuple[str, ...], list[LabelledPicture], int]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise DataSetError(
            f"{folder} needs one sub-folder of pictures for each of at least two classes; it has {len(classes)}."
        )
    pictures: list[LabelledPicture] = []
    passed_over = 0
    for label, class_folder in enumerate(classes):
        files = sorted(path for path in class_folder.rglob("*") if path.is_file())
        found = [path for path in files if _is_picture(path.relative_to(class_folder))]
        if not found:
            raise DataSetError(f"{class_folder} has no pictures (JPEG, PNG, BMP or WebP); add some or remove it.")
        passed_over += len(files) - len(found)
        pictures += [LabelledPicture(path, label) for path in found]
    return tuple(path.name for path in classes), pictures, passed_over


def _is_picture(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)  # a notebook's checkpoints, a viewer's thumbnails
    return name.suffix.lower() in _SUFFIXES and not hidden


def _by_class(pictures: list[LabelledPicture]) -> Iterator[tuple[list[Path], int]]:
    for label in sorted({picture.label for picture in pictures}):
        yield [picture.path for picture in pictures if picture.label == label], label


def _split(paths: list[Path], settings: DataSettings, random: np.random.Generator) -> dict[Split, list[Path]]:
    if len(paths) < _FEWEST_PER_CLASS:
        raise DataSetError(
            f"{paths[0].parent} has {len(paths)} pictures; each class needs at least {_FEWEST_PER_CLASS}, "
            "one each to train, validate and test."
        )
    shuffled = [paths[index] for index in random.permutation(len(paths))]
    val = max(1, round(len(paths) * settings.validation_share))
    test = max(1, round(len(paths) * settings.test_share))
    parts: dict[Split, list[Path]] = {
        "val": shuffled[:val],
        "test": shuffled[val : val + test],
        "train": shuffled[val + test :],
    }
    return {split: sorted(part) for split, part in parts.items()}


def _room_for(count: int, image_input: ImageInput, memory_budget_mb: int) -> npt.NDArray[np.uint8]:
    shape = (count, image_input.height, image_input.width, 3)
    if np.prod(shape, dtype=np.int64) <= memory_budget_mb * 2**20:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(prefix="graft-pictures-") as file:  # the map keeps it alive, the name is gone
        return np.memmap(file, np.uint8, mode="w+", shape=shape)
