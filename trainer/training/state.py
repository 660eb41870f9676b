"""The state of a run's training, saved after each epoch."""

from typing import Any

import numpy.typing as npt

from trainer.progress import Epoch
from trainer.runs.record import GateOutcome
from trainer.training.checkpoint import Arrays, Checkpoint, Position, StagePosition
from trainer.training.stages import StageOutcome, TrainingStage


class TrainingState:
    """Epochs, outcomes of stages, and weights so far; saved on disk if there is a `checkpoint`."""

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self._checkpoint = checkpoint
        self._position, self._arrays = checkpoint.load() if checkpoint else (Position(), {})

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """All epochs so far."""
        return self._position.epochs

    @property
    def outcomes(self) -> tuple[StageOutcome, ...]:
        """The outcome of each stage that has ended."""
        return self._position.outcomes

    @property
    def gate(self) -> GateOutcome | None:
        """The decision of the gate between the phases, once it was made."""
        return self._position.gate

    @property
    def current_stage(self) -> TrainingStage | None:
        """The stage whose weights were saved last, and are restored when a run is resumed."""
        return self._position.stage.stage if self._position.stage else None

    @property
    def weights(self) -> list[npt.NDArray[Any]]:
        """The values of that stage's variables."""
        return self._arrays["current"]

    def position_in(self, stage: TrainingStage) -> tuple[StagePosition, Arrays] | None:
        """Return the position in the stage, if it has started and not ended."""
        at = self._position.stage
        return (at, self._arrays) if at and at.stage == stage and not self._has_ended(stage) else None

    def outcome_of(self, stage: TrainingStage) -> StageOutcome | None:
        """Return the outcome of the stage, if it has ended."""
        return next((outcome for outcome in self.outcomes if outcome.stage == stage), None)

    def end_epoch(self, position: StagePosition, epoch: Epoch, arrays: Arrays) -> None:
        """Save an epoch, and everything that is needed to continue after it."""
        self._write({"stage": position, "epochs": (*self.epochs, epoch)}, arrays)

    def end_stage(self, position: StagePosition, outcome: StageOutcome, arrays: Arrays) -> None:
        """Save the outcome of a stage, and the weights that it ends with."""
        self._write({"stage": position, "outcomes": (*self.outcomes, outcome)}, arrays)

    def record_gate(self, gate: GateOutcome) -> None:
        """Save the decision of the gate."""
        self._write({"gate": gate}, self._arrays)

    def _has_ended(self, stage: TrainingStage) -> bool:
        return self.outcome_of(stage) is not None

    def _write(self, update: dict[str, Any], arrays: Arrays) -> None:
        self._position, self._arrays = self._position.model_copy(update=update), arrays
        if self._checkpoint:
            self._checkpoint.save(self._position, arrays)
