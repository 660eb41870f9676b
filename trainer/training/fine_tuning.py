"""Two-phase fine-tuning, and training from scratch where there is nothing to preserve.

What the base knows is kept by these rules: the head learns first, on a frozen base; the base moves only once the head
has settled; then only its last layers move, 10 to 100 times more slowly; BatchNorm never moves; and a stage that ends
worse than what came before it is undone.
"""

from dataclasses import dataclass

from trainer.progress import Epoch, PhaseName
from trainer.runs.record import GateOutcome
from trainer.training.context import TrainingContext
from trainer.training.feature_cache import cache_features
from trainer.training.gate import judge_head
from trainer.training.stage_training import train_stage
from trainer.training.stages import Score, StageOutcome, TrainingStage, plan_phase_two, set_trainable
from trainer.training.state import TrainingState


@dataclass(frozen=True)
class TrainingOutcome:
    """How training went: every stage and epoch, and whose weights the network has now."""

    kept: PhaseName
    score: Score
    stages: tuple[StageOutcome, ...]
    epochs: tuple[Epoch, ...]
    gate: GateOutcome | None
    notes: tuple[str, ...]


def fine_tune(context: TrainingContext) -> TrainingOutcome:
    """Train the head, then head and last layers of the base; a stage that ends worse is undone.

    The network is changed in place.

    Raises:
        DivergedError: the loss of phase one became NaN or infinite; the state holds the epochs before.
    """
    state, config = context.state, context.config
    head = TrainingStage(phase="phase_one", unfrozen=0)
    stages = plan_phase_two(context.network, config)
    features = cache_features(context, [head, *stages])
    _restore_weights(context)
    outcome = train_stage(head, context, features)
    gate = state.gate or judge_head(
        outcome, state.epochs, config.phase_one.patience, context.network.classes, config.gate
    )
    state.record_gate(gate)
    if not gate.opened or gate.forced:
        context.progress.on_note(gate.reason)
    for stage in stages if gate.opened else ():
        train_stage(stage, context, features)
    return _outcome(state)


def train_from_scratch(context: TrainingContext) -> TrainingOutcome:
    """Train every layer in one phase, with the settings of phase one; see `fine_tune`."""
    _restore_weights(context)
    train_stage(TrainingStage(phase="from_scratch", unfrozen=len(context.network.base.layers)), context, features={})
    return _outcome(context.state)


def _restore_weights(context: TrainingContext) -> None:
    """Give the network the weights that a resumed run had."""
    if stage := context.state.current_stage:
        set_trainable(context.network, stage)
        variables = context.network.changing_variables(stage.phase)
        for variable, value in zip(variables, context.state.weights, strict=True):
            variable.assign(value)


def _outcome(state: TrainingState) -> TrainingOutcome:
    kept = [outcome for outcome in state.outcomes if outcome.kept]
    notes = [outcome.note for outcome in state.outcomes if outcome.note]
    if state.gate and (state.gate.forced or not state.gate.opened):
        notes.insert(0, state.gate.reason)
    return TrainingOutcome(kept[-1].stage.phase, kept[-1].score, state.outcomes, state.epochs, state.gate, tuple(notes))
