"""The stages of a run, and their outcomes."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from trainer.config import TrainingConfig
from trainer.models.architectures import ARCHITECTURES
from trainer.models.base import block_split_points, split_points
from trainer.models.network import Network
from trainer.progress import PhaseName


class _StageModel(BaseModel):
    model_config = ConfigDict(frozen=True)


class TrainingStage(_StageModel):
    """A part of training with one set of trainable variables and its own optimizer."""

    phase: PhaseName
    unfrozen: int = Field(ge=0, description="How many of the base's last layers are trained.")


class Score(_StageModel):
    """Cross-entropy, in nats, and accuracy on the validation images."""

    loss: float
    accuracy: float

    def is_no_worse_than(self, other: "Score") -> bool:
        """Return whether neither value is worse."""
        return self.loss <= other.loss and self.accuracy >= other.accuracy


class StageOutcome(_StageModel):
    """How a stage ended. If it was not kept, the weights from before it were restored."""

    stage: TrainingStage
    kept: bool
    score: Score = Field(description="Score of the weights that the model has now.")
    ended: Literal["no longer better", "out of epochs", "diverged"]
    remark: str = Field("", description="A sentence for the user.")

    @property
    def note(self) -> str:
        """A sentence on the stage for terminal and report; empty if it was kept without a remark."""
        title = f"Phase two, last {self.stage.unfrozen} layers"
        if self.kept:
            return f"{title}: its best epoch is kept. {self.remark}" if self.remark else ""
        why = self.remark or "No epoch was better on the validation images in both loss and accuracy."
        return f"{title}: undone, the weights from before are kept. {why}"


def plan_phase_two(network: Network, config: TrainingConfig) -> list[TrainingStage]:
    """Return the stages of phase two: one, or several that unfreeze block by block.

    A single number of layers is used as given. Of several, each is moved to the nearest block boundary.
    """
    wanted = config.phase_two.unfreeze or ()
    if len(wanted) > 1:
        boundaries = _block_boundaries(network, config)
        wanted = tuple(sorted({min(boundaries, key=lambda boundary: abs(boundary - count)) for count in wanted}))
    layers = len(network.base.layers)
    return [TrainingStage(phase="phase_two", unfrozen=min(count, layers)) for count in wanted]


def set_trainable(network: Network, stage: TrainingStage) -> None:
    """Make the layers that the stage trains trainable, and no others."""
    if stage.phase == "from_scratch":
        network.unfreeze_everything()
    else:
        network.unfreeze(stage.unfrozen)


def layer_factors(network: Network, variables: Sequence[Any], config: TrainingConfig) -> list[float]:
    """Return, for each of the model's `variables`, its share of the learning rate.

    The head has all of it; each block of the base has `layer_decay` times the share of the block after it.
    """
    boundaries = _block_boundaries(network, config)
    from_end = {id(layer): place for place, layer in enumerate(reversed(network.base.layers), start=1)}
    blocks = {
        id(variable): 1 + sum(boundary < from_end[id(layer)] for boundary in boundaries)
        for layer in network.base.layers
        for variable in layer.trainable_variables
    }
    return [config.phase_two.layer_decay ** blocks.get(id(variable), 0) for variable in variables]


def _block_boundaries(network: Network, config: TrainingConfig) -> list[int]:
    blocks = block_split_points(network.base, ARCHITECTURES.get(config.model.architecture))
    return blocks or split_points(network.base) or [len(network.base.layers)]
