"""The images that are sent again and again: of many as many as fit into memory, drawn evenly."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from graft.actions.predict.inputs import inputs_of
from graft.errors import CommandError, ImageRefusedError

_MOST_BYTES = 128 * 1024 * 1024
_SEED = 1


@dataclass(frozen=True)
class BenchImages:
    """Images with their names, in the order in which they are sent, and how many the arguments stand for.

    `unreadable` has names and reasons.
    """

    images: list[tuple[str, bytes]] = field(default_factory=list)
    of: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mean_bytes(self) -> float:
        """The mean size of an image."""
        return sum(len(content) for _, content in self.images) / len(self.images)


def read_images(arguments: Sequence[str], most_bytes: int = _MOST_BYTES) -> BenchImages:
    """Read the images that arguments of `graft predict` stand for, until `most_bytes` are read.

    Their order is shuffled, the same each time: a folder's first images are often of one class, or of one camera.

    Raises:
        CommandError: the arguments stand for no image, or none can be read.
    """
    inputs = inputs_of(arguments)
    found = BenchImages(of=len(inputs))
    size = 0
    for each in random.Random(_SEED).sample(inputs, len(inputs)):  # noqa: S311 - nothing depends on its being secret
        if size >= most_bytes:
            break
        try:
            content = each.read()
        except ImageRefusedError as error:
            found.unreadable.append((each.name, str(error)))
            continue
        found.images.append((each.name, content))
        size += len(content)
    if not found.images:
        name, reason = found.unreadable[0]
        many = f"None of the {found.of} images can be read. The first, " if found.of > 1 else ""
        raise CommandError(f"{many}{name}: {reason}")
    return found
