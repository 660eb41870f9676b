"""Which image files belong together in one split: those with the same bytes, and near copies of one another."""

from collections.abc import MutableMapping, Sequence
from pathlib import Path

import numpy as np

from trainer.data.copies.file_prints import prints_of_files
from trainer.data.file_digests import same_bytes_together
from trainer.data.near_duplicates import NearDuplicates
from trainer.progress import Progress

_MOST_COPIES, _FEWEST_COPIES = 32, 4
_SHARE_OF_COPIES = 2
"""A burst may be half of all images, and of 32: the likeness of more than that counts as usual."""


def groups_of_copies(paths: Sequence[Path], digests: MutableMapping[Path, str], progress: Progress) -> dict[Path, int]:
    """Return the number of the group that each file is in, in the order of the groups' first files.

    A file is in a group with its copies, and with the copies of these. Files that cannot be decoded are copies of those
    with the same bytes alone. Takes a millisecond for a small photo, and some 20 for one of 12 megapixels; digests of
    files that this takes are added to `digests`.

    Raises:
        DataSetError: a file cannot be read.
    """
    same = same_bytes_together(paths, digests)
    progress.on_work("looking for copies", len(same))
    prints = prints_of_files([files[0] for files in same], progress.on_step)
    group = np.arange(len(same))
    first_with = {content: number for number, content in reversed(list(enumerate(prints.fingerprints.content)))}
    near = NearDuplicates(prints.fingerprints, _copies_among(len(prints.numbers))).groups()
    # images of one colour are near to nothing, but the same as others of that colour
    same_or_near = [near[first_with[content]] for content in prints.fingerprints.content]
    group[prints.numbers] = prints.numbers[same_or_near]
    return {path: int(group[number]) for number, files in enumerate(same) for path in files}


def _copies_among(images: int) -> int:
    return min(_MOST_COPIES, max(_FEWEST_COPIES, images // _SHARE_OF_COPIES))
