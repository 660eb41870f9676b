"""How much a run will write, known before it begins."""

from typing import Any

from trainer.config import TrainingConfig
from trainer.models.network import Network
from trainer.training.stages import TrainingStage, plan_phase_two, set_trainable

_ARRAYS = 5
"""A checkpoint holds each changing variable as it is, as it was best and before, and Adam's two moments of it."""

_AVERAGED = 6
"""With the moving average of it, where `phase_two.ema` asks for one."""

_REPORT = 2_000_000
"""Report, record, history and predictions, in bytes."""


def room_for_run(network: Network, config: TrainingConfig) -> int:
    """Return the most bytes that the run's folder will have at a time.

    It has the first weights, and a checkpoint beside the one that takes its place; in the end the model.
    """
    stages = _stages(network, config)
    changing = max(_bytes_of_changing(network, stage) for stage in stages)
    arrays = _AVERAGED if config.phase_two.ema and len(stages) > 1 else _ARRAYS
    weights = _bytes_of(network.model.weights)
    return weights + max(2 * arrays * changing, changing + weights) + _REPORT


def _stages(network: Network, config: TrainingConfig) -> list[TrainingStage]:
    if config.model.weights == "none":
        return [TrainingStage(phase="from_scratch", unfrozen=len(network.base.layers))]
    return [TrainingStage(phase="phase_one", unfrozen=0), *plan_phase_two(network, config)]


def _bytes_of_changing(network: Network, stage: TrainingStage) -> int:
    set_trainable(network, stage)  # as each stage does again when it begins
    return _bytes_of(network.changing_variables(stage.phase))


def _bytes_of(variables: list[Any]) -> int:
    return sum(variable.numpy().nbytes for variable in variables)
