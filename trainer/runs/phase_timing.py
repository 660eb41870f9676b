"""The duration of each phase of training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from trainer.progress import Epoch, PhaseName

PHASE_TITLES: dict[PhaseName, str] = {
    "phase_one": "phase one",
    "phase_two": "phase two",
    "from_scratch": "from scratch",
}


@dataclass(frozen=True)
class PhaseTiming:
    """Epochs of one phase, the number of images trained on, and the seconds without validation.

    `images_per_second` is None if no time was measured.
    """

    phase: PhaseName
    epochs: int
    images: int
    seconds: float
    images_per_second: float | None


def phase_timings(epochs: Sequence[Epoch]) -> list[PhaseTiming]:
    """Add up the epochs of each phase, in the order in which they ran."""
    return list(_timings(epochs))


def _timings(epochs: Sequence[Epoch]) -> Iterator[PhaseTiming]:
    for phase, group in groupby(epochs, key=lambda epoch: epoch.phase):
        of_phase = list(group)
        images, seconds = sum(epoch.images for epoch in of_phase), sum(epoch.seconds for epoch in of_phase)
        yield PhaseTiming(phase, len(of_phase), images, seconds, images / seconds if seconds else None)
