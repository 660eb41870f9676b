"""Leakage: an image that is in two splits, so that a model would be tested on its training images.

And an image under two classes of one split, one of which is wrong. No TensorFlow here.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Protocol

from trainer.data.fingerprints import Fingerprints
from trainer.data.folders.walk import plain_name
from trainer.data.image_folder import SPLITS, ImageFolder, LabelledImage, Split
from trainer.data.near_duplicates import COPY_CORRELATION, LEAST_CORRELATION, NearDuplicates
from trainer.errors import LeakageError

LEAKAGE_FILE = "leakage.csv"
COLUMNS = ("first", "first_split", "first_class", "second", "second_split", "second_class", "match", "bits")

_NAMED = 3  # leaks named in an error
_MOST_IN_ALL_PAIRS = 100  # files of the same pixels; of more, such as blank scans, there would be a million pairs


class FingerprintedImages(Protocol):
    """The images of a split, and their fingerprints in the same order."""

    @property
    def images(self) -> Sequence[LabelledImage]:
        """The image files with their classes."""

    @property
    def fingerprints(self) -> Fingerprints:
        """The fingerprint of each."""


@dataclass(frozen=True)
class Leak:
    """A pair: an image of `second_split` that is also in `first_split`, exactly or nearly; in one, under two classes.

    `same_content`: every pixel is the same at the size of the fingerprints. `distance`: in how many of 64 bits the
    perceptual hashes differ. The labels are the numbers of the classes.
    """

    first: Path
    first_split: Split
    second: Path
    second_split: Split
    same_content: bool
    distance: int
    first_label: int
    second_label: int


def find_leaks(splits: Mapping[Split, FingerprintedImages]) -> list[Leak]:
    """Find every pair of an image and an earlier one, in the order train, val, test, that must not both be there.

    They are the same or nearly, in two splits, or under two classes of one split; there only what is re-encoded or
    resized is nearly the same. Identical contents come first, then the nearest. Of one image at most 20 near copies in
    a split are told; where over 100 files are the same, each with the first of every other split and class. Takes
    seconds for 20,000 images.
    """
    images = _Images.of(splits)
    near = NearDuplicates(images.fingerprints)
    leaks = [images.leak(first, second, 0) for first, second in images.same_in_two_places()]
    for one, other in combinations_with_replacement(images.numbers, 2):
        least = COPY_CORRELATION if one == other else LEAST_CORRELATION
        leaks += [
            images.leak(pair.first, pair.second, pair.bits)
            for pair in near.between(images.numbers[one], images.numbers[other], least)
            if pair.first < pair.second and images.are_two_places(pair.first, pair.second)
        ]
    return sorted(leaks, key=lambda leak: (not leak.same_content, leak.distance))


def check_leakage(leaks: Sequence[Leak], allow: bool, listed_in: str) -> None:
    """Refuse a data set with an image in two splits or classes, unless `allow`; `listed_in` says where all pairs are.

    Raises:
        LeakageError: names the first pairs, how many there are, and what to do.
    """
    if not leaks or allow:
        return
    first = "; ".join(describe(leak) for leak in leaks[:_NAMED])
    more = "; and so on" if len(leaks) > _NAMED else ""
    raise LeakageError(
        f"{in_words(leaks)}: {first}{more}. {listed_in} Remove one of each pair, or train with --allow-leakage."
    )


def refused_leaks(leaks: Sequence[Leak], found: ImageFolder) -> list[Leak]:
    """Return those that end a run: similar images in two splits that were made here are none that anyone can mend."""
    divided = set(found.divided)
    return [
        leak
        for leak in leaks
        if leak.first_split == leak.second_split
        or leak.same_content
        or not {leak.first_split, leak.second_split} <= divided
    ]


def list_leaks(target: Path, leaks: Sequence[Leak], labels: Sequence[str]) -> str:
    """Write every pair to the CSV file `target`, and return a sentence that says so, or why it cannot be written.

    A row is a line: line breaks, control characters and bytes that are not UTF-8 are escaped in names.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_cells(leak, labels) for leak in leaks)
    except OSError as error:
        return f"The list of all pairs cannot be written to {plain_name(target)}: {error.strerror}."
    pairs = "The pair is" if len(leaks) == 1 else f"All {len(leaks)} pairs are"
    return f"{pairs} in {plain_name(target)}."


def in_words(leaks: Sequence[Leak]) -> str:
    """Return how many images are in two splits, and how many in two classes, with what that means."""
    in_splits = {leak.second for leak in leaks if leak.first_split != leak.second_split}
    in_classes = {leak.second for leak in leaks if leak.first_split == leak.second_split}
    kinds = (
        (len(in_splits), "splits", "so the scores would be too good"),
        (len(in_classes), "classes", "one of which is wrong"),
    )
    return "; ".join(
        f"{'1 image is' if number == 1 else f'{number} images are'} in two {what}, {meaning}"
        for number, what, meaning in kinds
        if number
    )


def describe(leak: Leak) -> str:
    """Return a leak as text: the image, its copy, and how similar they are."""
    how = "is" if leak.same_content else f"is nearly ({leak.distance} of 64 bits differ)"
    if leak.first_split == leak.second_split:
        return f"{plain_name(leak.second)} {how} {plain_name(leak.first)}, both in {leak.first_split}"
    return f"{plain_name(leak.second)} of {leak.second_split} {how} {plain_name(leak.first)} of {leak.first_split}"


@dataclass(frozen=True)
class _Images:
    """The images of all splits in one row, and the `numbers` of those of each split."""

    images: list[LabelledImage]
    splits: list[Split]
    numbers: dict[Split, range]
    fingerprints: Fingerprints

    @classmethod
    def of(cls, splits: Mapping[Split, FingerprintedImages]) -> "_Images":
        images: list[LabelledImage] = []
        numbers: dict[Split, range] = {}
        present = [split for split in SPLITS if split in splits]
        for split in present:
            numbers[split] = range(len(images), len(images) + len(splits[split].images))
            images += splits[split].images
        fingerprints = Fingerprints.joined([splits[split].fingerprints for split in present])
        return cls(images, [split for split in present for _ in numbers[split]], numbers, fingerprints)

    def leak(self, first: int, second: int, bits: int) -> Leak:
        one, other = self.images[first], self.images[second]
        same = self._same(first, second)
        return Leak(one.path, self.splits[first], other.path, self.splits[second], same, bits, one.label, other.label)

    def are_two_places(self, first: int, second: int) -> bool:
        """Return whether two images that are not the same pixels differ in split or class."""
        return not self._same(first, second) and self._place(first) != self._place(second)

    def same_in_two_places(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of the same pixels that differ in split or class."""
        with_content: dict[str, list[int]] = {}
        for number, content in enumerate(self.fingerprints.content):
            with_content.setdefault(content, []).append(number)
        for numbers in with_content.values():
            pairs = combinations(numbers, 2) if len(numbers) <= _MOST_IN_ALL_PAIRS else self._with_firsts(numbers)
            yield from (pair for pair in pairs if self._place(pair[0]) != self._place(pair[1]))

    def _with_firsts(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield each image with the first one of every split and class."""
        firsts: dict[tuple[Split, int], int] = {}
        for number in numbers:
            firsts.setdefault(self._place(number), number)
        pairs = ((first, number) for number in numbers for first in firsts.values() if first != number)
        yield from dict.fromkeys((min(pair), max(pair)) for pair in pairs)

    def _place(self, number: int) -> tuple[Split, int]:
        return self.splits[number], self.images[number].label

    def _same(self, first: int, second: int) -> bool:
        return self.fingerprints.content[first] == self.fingerprints.content[second]


def _cells(leak: Leak, labels: Sequence[str]) -> tuple[str, ...]:
    return (
        plain_name(leak.first),
        leak.first_split,
        plain_name(labels[leak.first_label]),
        plain_name(leak.second),
        leak.second_split,
        plain_name(labels[leak.second_label]),
        "same" if leak.same_content else "near",
        str(leak.distance),
    )
