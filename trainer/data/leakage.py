"""Leakage: an image that is in two splits, so that a model would be tested on its training images."""

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
    """An image of `second_split` that is also in `first_split`, exactly or nearly.

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
    Takes seconds for 20,000 images.
    """
    present = [split for split in SPLITS if split in splits]
    fingerprints = Fingerprints.joined([splits[split].fingerprints for split in present])
    images = [image.path for split in present for image in splits[split].images]
    near = NearDuplicates(fingerprints)
    leaks: list[Leak] = []
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
    what = "1 image is in two splits" if len(leaks) == 1 else f"{len(leaks)} images are in two splits"
    first = "; ".join(describe(leak) for leak in leaks[:_NAMED])
    more = "; and so on" if len(leaks) > _NAMED else ""
    raise LeakageError(
        f"{what}, so the scores would be too good: {first}{more}. Remove one of each pair, or train with "
        "--allow-leakage."
    )


def describe(leak: Leak) -> str:
    """Return a leak as text: the image, its copy, and how similar they are."""
    how = "is" if leak.same_content else f"is nearly ({leak.distance} of 64 bits differ)"
    return f"{plain_name(leak.second)} of {leak.second_split} {how} {plain_name(leak.first)} of {leak.first_split}"


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
