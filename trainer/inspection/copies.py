"""Groups of images that are one: the same pixels, or nearly the same, anywhere in the data set."""

from collections import defaultdict

from trainer.data.fingerprints import Fingerprints
from trainer.data.near_duplicates import NearDuplicates


def copy_groups(fingerprints: Fingerprints) -> list[list[int]]:
    """Return the numbers of images that are copies of one another, two or more in a group, in their order.

    A copy of a copy is in the group, too. Takes a second for 5,000 images, and grows with the square of their number.
    """
    near = NearDuplicates(fingerprints).groups()
    earliest: dict[str, int] = {}  # images of one colour are near to nothing, but the same as others of that colour
    members: dict[int, list[int]] = defaultdict(list)
    for number, content in enumerate(fingerprints.content):
        members[int(near[earliest.setdefault(content, number)])].append(number)
    return [group for group in members.values() if len(group) > 1]
