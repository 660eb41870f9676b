"""Groups of images that are one: the same pixels, or nearly the same, anywhere in the data set."""

from collections import defaultdict
from collections.abc import Iterator

from trainer.data.fingerprints import Fingerprints
from trainer.data.near_duplicates import NearDuplicates


def copy_groups(fingerprints: Fingerprints) -> list[list[int]]:
    """Return the numbers of images that are copies of one another, two or more in a group, in their order.

    A copy of a copy is in the group, too. Takes a second for 5,000 images, and grows with the square of their number.
    """
    numbers = range(len(fingerprints.content))
    group = _Groups(len(numbers))
    earliest: dict[str, int] = {}
    for number in numbers:
        group.join(earliest.setdefault(fingerprints.content[number], number), number)
    alone = [number for number in numbers if earliest[fingerprints.content[number]] == number]
    for first, second in _near_pairs(NearDuplicates(fingerprints), alone):
        group.join(first, second)
    return group.larger_than_one()


class _Groups:
    """A union-find structure over numbers from 0."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first

    def larger_than_one(self) -> list[list[int]]:
        members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            members[self._root(number)].append(number)
        return [group for group in members.values() if len(group) > 1]

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number


_BLOCK = 256


def _near_pairs(near: NearDuplicates, numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of near duplicates among `numbers`, which rise."""
    for start in range(0, len(numbers), _BLOCK):
        block = numbers[start : start + _BLOCK]
        if start:
            yield from _pairs(near, range(block[0]), block)
        yield from _within(near, block)


def _within(near: NearDuplicates, block: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs within a block: between its halves, and within each."""
    if len(block) < 2:
        return
    middle = len(block) // 2
    yield from _pairs(near, range(block[0], block[middle]), block[middle:])
    yield from _within(near, block[:middle])
    yield from _within(near, block[middle:])


def _pairs(near: NearDuplicates, first: range, second: list[int]) -> Iterator[tuple[int, int]]:
    return ((pair.first, pair.second) for pair in near.between(first, second))
