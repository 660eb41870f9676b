"""Leakage: an image that is in two splits, so that a model would be tested on its training images.

And an image under two classes of one split, one of which is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from trainer.data.decoded_split import DecodedSplit
from trainer.data.fingerprints import Fingerprints
from trainer.data.folders.walk import plain_name
from trainer.data.image_folder import SPLITS, Split
from trainer.data.near_duplicates import NearDuplicate, NearDuplicates
from trainer.errors import LeakageError

_NAMED = 3  # leaks named in an error


@dataclass(frozen=True)
class Leak:
    """An image of `second_split` that is also in `first_split`, exactly or nearly; in one split, under two classes.

    `same_content`: every pixel is the same at the model's input size. `distance`: in how many of 64 bits the perceptual
    hashes differ.
    """

    first: Path
    first_split: Split
    second: Path
    second_split: Split
    same_content: bool
    distance: int


def find_leaks(splits: Mapping[Split, DecodedSplit]) -> list[Leak]:
    """Find the images that are also in an earlier split, in the order train, val, test.

    An image has at most one leak with each earlier split, the nearest. Identical contents come first, then the nearest.
    In one split, those count whose contents are identical under two classes. Takes seconds for 20,000 images.
    """
    present = [split for split in SPLITS if split in splits]
    fingerprints = Fingerprints.joined([splits[split].fingerprints for split in present])
    images = [image.path for split in present for image in splits[split].images]
    near = NearDuplicates(fingerprints)
    leaks = [leak for split in present for leak in _in_two_classes(split, splits[split])]
    for (one, first), (other, second) in combinations(_numbers(present, splits).items(), 2):
        same = _same_content(fingerprints.content, first, second)
        exact = {pair.second for pair in same}
        nearly = near.between(first, [number for number in second if number not in exact])
        leaks += [
            Leak(images[pair.first], one, images[pair.second], other, pair.second in exact, pair.bits)
            for pair in (*same, *nearly)
        ]
    return sorted(leaks, key=lambda leak: (not leak.same_content, leak.distance))


def check_leakage(leaks: Sequence[Leak], allow: bool) -> None:
    """Refuse a data set with an image in two splits, unless `allow`.

    Raises:
        LeakageError: names the first leaks, how many there are, and what to do.
    """
    if not leaks or allow:
        return
    first = "; ".join(describe(leak) for leak in leaks[:_NAMED])
    more = "; and so on" if len(leaks) > _NAMED else ""
    raise LeakageError(f"{in_words(leaks)}: {first}{more}. Remove one of each pair, or train with --allow-leakage.")


def in_words(leaks: Sequence[Leak]) -> str:
    """Return how many images are in two splits, and how many in two classes, with what that means."""
    classes = sum(leak.first_split == leak.second_split for leak in leaks)
    kinds = (
        (len(leaks) - classes, "splits", "so the scores would be too good"),
        (classes, "classes", "one of which is wrong"),
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
        return f"{plain_name(leak.second)} is {plain_name(leak.first)}, both in {leak.first_split}"
    return f"{plain_name(leak.second)} of {leak.second_split} {how} {plain_name(leak.first)} of {leak.first_split}"


def _in_two_classes(split: Split, decoded: DecodedSplit) -> list[Leak]:
    """Return a leak for each image whose content an earlier one of the split has under another class."""
    earliest: dict[tuple[str, int], Path] = {}
    labels: dict[str, int] = {}
    found = []
    for content, image in zip(decoded.fingerprints.content, decoded.images, strict=True):
        label = labels.setdefault(content, image.label)
        first = earliest.setdefault((content, label), image.path)
        if image.label != label:
            found.append(Leak(first, split, image.path, split, same_content=True, distance=0))
    return found


def _numbers(present: Sequence[Split], splits: Mapping[Split, DecodedSplit]) -> dict[Split, range]:
    """Return the range of numbers of each split's images among all images."""
    numbers: dict[Split, range] = {}
    start = 0
    for split in present:
        numbers[split] = range(start, start + len(splits[split].images))
        start = numbers[split].stop
    return numbers


def _same_content(content: Sequence[str], first: range, second: range) -> list[NearDuplicate]:
    earliest = {content[number]: number for number in reversed(first)}
    return [NearDuplicate(earliest[content[number]], number, 0) for number in second if content[number] in earliest]
