"""What has happened in a run so far, written down after each epoch."""

from typing import Any

import numpy.typing as npt

from trainer.progress import Epoch
from trainer.runs.record import GateOutcome
from trainer.training.checkpoint import Arrays, Checkpoint, Position, StagePosition
from trainer.training.stages import Stage, StageOutcome


class TrainingState:
    """The story of a run's training, on disk where there is a checkpoint to write to."""

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self._checkpoint = checkpoint
        self._position, self._arrays = checkpoint.load() if checkpoint else (Position(), {})

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """All epochs so far."""
        return self._position.epochs

    @property
    def outcomes(self) -> tuple[StageOutcome, ...]:
        """How each stage went that has ended."""
        return self._position.outcomes

    @property
    def gate(self) -> GateOutcome | None:
        """What the gate between the phases said, once it was asked."""
        return self._position.gate

    @property
    def current_stage(self) -> Stage | None:
        """The stage whose weights were written last, to be put back when a run is resumed."""
        return self._position.stage.stage if self._position.stage else None

    @property
    def weights(self) -> list[npt.NDArray[Any]]:
        """The values of that stage's variables."""
        return self._arrays["current"]

    def position_in(self, stage: Stage) -> tuple[StagePosition, Arrays] | None:
        """Return where the stage stands, if it was begun and not ended."""
        at = self._position.stage
        return (at, self._arrays) if at and at.stage == stage and not self._has_ended(stage) else None

    def outcome_of(self, stage: Stage) -> StageOutcome | None:
        """Return how the stage went, if it has ended."""
        return next((outcome for outcome in self.outcomes if outcome.stage == stage), None)

    def end_epoch(self, position: StagePosition, epoch: Epoch, arrays: Arrays) -> None:
        """Write down an epoch, and everything that is needed to go on after it."""
        self._write({"stage": position, "epochs": (*self.epochs, epoch)}, arrays)

    def end_stage(self, position: StagePosition, outcome: StageOutcome, arrays: Arrays) -> None:
        """Write down how a stage went, and the weights that it leaves."""
        self._write({"stage": position, "outcomes": (*self.outcomes, outcome)}, arrays)

    def record_gate(self, gate: GateOutcome) -> None:
        """Write down what the gate said."""
        self._write({"gate": gate}, self._arrays)

    def _has_ended(self, stage: Stage) -> bool:
        return self.outcome_of(stage) is not None

    def _write(self, update: dict[str, Any], arrays: Arrays) -> None:
        self._position, self._arrays = self._position.model_copy(update=update), arrays
        if self._checkpoint:
            self._checkpoint.save(self._position, arrays)
