"""The content of a report, as data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.config import TrainingConfig
from trainer.evaluation.calibration import ReliabilityBin
from trainer.evaluation.worst_mistakes import Mistake
from trainer.progress import Epoch, PhaseName
from trainer.runs.record import RunRecord


@dataclass(frozen=True)
class DataNotes:
    """Notes on the data: the number of images by split and class, and what was left out.

    `left_out` are images that cannot be decoded, `skipped` other files, `leaks` a sentence for each image in two
    splits, `class_weights` the weight of each class in the loss, None if all are the same, `note` how the splits were
    made where that was not as usual.
    """

    images: Mapping[str, Mapping[str, int]]
    left_out: Sequence[str] = ()
    skipped: Sequence[str] = ()
    leaks: Sequence[str] = ()
    class_weights: Mapping[str, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Reliability:
    """The reliability bins of the test images before and after the temperature."""

    before: Sequence[ReliabilityBin]
    after: Sequence[ReliabilityBin]


@dataclass(frozen=True)
class Report:
    """Everything that the page shows; its numbers are those of `record.metrics`, which are also in `metrics.json`.

    `epochs` are those of all phases in order, `mistakes` the most confident first. `kept_val_loss` is the validation
    loss, in nats, of the epoch whose weights were kept; if not given, the lowest of the kept phase.
    """

    record: RunRecord
    config: TrainingConfig
    epochs: Sequence[Epoch]
    data: DataNotes
    reliability: Reliability | None = None
    mistakes: Sequence[Mistake] = ()
    kept_val_loss: float | None = None

    @property
    def kept_epoch(self) -> int | None:
        """The index in `epochs` of the epoch whose weights were kept; None if the phase has none."""
        return kept_epoch(self.epochs, self.record.kept_phase, self.kept_val_loss)


def kept_epoch(epochs: Sequence[Epoch], phase: PhaseName, val_loss: float | None = None) -> int | None:
    """Return the index of the phase's epoch with this validation loss; if not given, with the lowest."""
    wanted = -math.inf if val_loss is None else val_loss
    of_phase = [index for index, epoch in enumerate(epochs) if epoch.phase == phase]
    return min(of_phase, key=lambda index: (abs(epochs[index].val_loss - wanted), epochs[index].val_loss), default=None)
