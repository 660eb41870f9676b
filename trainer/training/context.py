"""What the steps of training share, as two frozen objects: one for the whole training, one for each stage."""

from dataclasses import dataclass
from typing import Any

from trainer.config import TrainingConfig
from trainer.data.pixel_store import MemoryBudget
from trainer.models.network import Network
from trainer.progress import Progress
from trainer.training.input_pipeline import TrainingData
from trainer.training.prediction import Predictor
from trainer.training.stages import TrainingStage
from trainer.training.state import TrainingState


@dataclass(frozen=True)
class TrainingContext:
    """Everything that all stages use.

    `predictor` runs the whole network, `data` are decoded images, `state` is what a checkpoint holds, and `budget` is
    the memory for cached features.
    """

    network: Network
    predictor: Predictor
    data: TrainingData
    config: TrainingConfig
    state: TrainingState
    progress: Progress
    budget: MemoryBudget


@dataclass(frozen=True)
class StageContext:
    """What one stage trains: `model` is the whole network or its tail, `data` its inputs, `predictor` runs it."""

    stage: TrainingStage
    training: TrainingContext
    model: Any
    predictor: Predictor
    data: TrainingData
