"""The stages of a run, and how one of them went."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from trainer.config import TrainingConfig
from trainer.models.architectures import ARCHITECTURES
from trainer.models.base import block_split_points, split_points
from trainer.models.network import Network
from trainer.progress import PhaseName


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Stage(_Record):
    """A stretch of training in which the same variables learn, with an optimizer of its own."""

    phase: PhaseName
    unfrozen: int = Field(ge=0, description="How many of the base's last layers learn.")


class Score(_Record):
    """How good a model is on the validation pictures: cross-entropy in nats, and share of right answers."""

    loss: float
    accuracy: float

    def is_no_worse_than(self, other: "Score") -> bool:
        """Say whether neither measure is worse."""
        return self.loss <= other.loss and self.accuracy >= other.accuracy


class StageOutcome(_Record):
    """How a stage ended. Where it was not kept, its weights were put back to what they were before."""

    stage: Stage
    kept: bool
    score: Score = Field(description="Of the weights that the model has now.")
    ended: Literal["no longer better", "out of epochs", "diverged"]
    remark: str = Field("", description="What a person should know, one sentence.")

    @property
    def note(self) -> str:
        """What the terminal and the report say of the stage; nothing where it was kept without a remark."""
        title = f"Phase two, last {self.stage.unfrozen} layers"
        if self.kept:
            return f"{title}: its best epoch is kept. {self.remark}" if self.remark else ""
        why = self.remark or "No epoch was better on the validation pictures in both loss and accuracy."
        return f"{title}: undone, the weights from before are kept. {why}"


def plan_phase_two(network: Network, config: TrainingConfig) -> list[Stage]:
    """Return the stages of phase two: one, or several that unfreeze block by block.

    One number of layers is taken as it is. Of several, each is moved to the nearest block boundary.
    """
    wanted = config.phase_two.unfreeze or ()
    if len(wanted) > 1:
        boundaries = _block_boundaries(network, config)
        wanted = tuple(sorted({min(boundaries, key=lambda boundary: abs(boundary - count)) for count in wanted}))
    layers = len(network.base.layers)
    return [Stage(phase="phase_two", unfrozen=min(count, layers)) for count in wanted]


def set_trainable(network: Network, stage: Stage) -> None:
    """Make the layers that the stage trains trainable, and no others."""
    if stage.phase == "from_scratch":
        network.unfreeze_everything()
    else:
        network.unfreeze(stage.unfrozen)


def layer_factors(network: Network, variables: Sequence[Any], config: TrainingConfig) -> list[float]:
    """Return, for each of the model's `variables`, its share of the learning rate.

    The head has all of it; each block of the base further from the head has `layer_decay` of the next one's.
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
