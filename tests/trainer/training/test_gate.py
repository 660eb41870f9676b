"""The gate between the phases."""

import math
from collections.abc import Sequence

import pytest

from tests.trainer.small_network import Watching, learn, small_config, small_network
from trainer.config import GateSettings
from trainer.progress import Epoch
from trainer.runs.record import GateOutcome
from trainer.training.gate import judge_head
from trainer.training.stages import Score, StageOutcome, TrainingStage

PATIENCE = 2
SETTLED, FALLING = [0.9, 0.4, 0.41, 0.4], [0.9, 0.7, 0.5, 0.4]


def judged(
    losses: Sequence[float], ended: str = "out of epochs", classes: int = 3, settings: GateSettings | None = None
) -> GateOutcome:
    head = StageOutcome.model_validate(
        {"stage": TrainingStage(phase="phase_one", unfrozen=0), "kept": True, "ended": ended}
        | {"score": Score(loss=min(losses), accuracy=0.9)}
    )
    epochs = [Epoch("phase_one", number, 9, 0.1, 0.9, loss, 0.9) for number, loss in enumerate(losses, start=1)]
    return judge_head(head, epochs, PATIENCE, classes, settings or GateSettings())


def test_settled_head_with_a_low_loss_opens_the_gate() -> None:
    """A head whose validation loss is low and no longer falls lets phase two begin."""
    assert judged(SETTLED) == GateOutcome(
        opened=True, forced=False, stopped_improving=True, val_loss=0.4, bound=0.5, reason="The head has settled."
    )


def test_head_that_is_still_learning_keeps_it_shut() -> None:
    """A loss that was still falling when the epochs ran out keeps phase two from beginning, and says what to raise."""
    gate = judged(FALLING)
    assert (gate.opened, gate.stopped_improving) == (False, False)
    assert "had not stopped falling after 4 epochs (raise phase_one.epochs: --epochs)" in gate.reason


def test_fewer_epochs_than_patience_tell_nothing() -> None:
    """A head that was trained for fewer epochs than patience asks for cannot have settled."""
    assert not judged([0.4, 0.4]).opened


def test_head_that_patience_stopped_has_settled() -> None:
    """A phase that ended because nothing got better has settled, however its last losses compare."""
    assert judged(FALLING, ended="no longer better").opened


def test_loss_above_the_bound_keeps_it_shut() -> None:
    """A head that has settled at a high loss would damage the base; the sentence has the loss and the bound."""
    gate = judged([0.8, 0.62, 0.63, 0.62])
    assert (gate.opened, gate.stopped_improving) == (False, True)
    assert "its validation loss is 0.620, above 0.500 (gate.max_val_loss)" in gate.reason


@pytest.mark.parametrize(
    ("classes", "bound"), [(2, 0.5), (4, 0.5), (5, 0.35 * math.log(5)), (100, 0.35 * math.log(100))]
)
def test_bound_grows_with_the_classes(classes: int, bound: float) -> None:
    """The bound is 0.5 nats or 0.35 ln(classes), whichever is larger."""
    assert judged(SETTLED, classes=classes).bound == pytest.approx(bound)


def test_bound_can_be_set() -> None:
    """A bound in the settings is taken as it is."""
    assert not judged(SETTLED, settings=GateSettings(max_val_loss=0.3)).opened


def test_forced_gate_opens_and_says_so() -> None:
    """A forced gate opens, and is recorded as forced only where it would have stayed shut."""
    force = GateSettings(force=True)
    assert (judged(FALLING, settings=force).opened, judged(FALLING, settings=force).forced) == (True, True)
    assert (judged(SETTLED, settings=force).opened, judged(SETTLED, settings=force).forced) == (True, False)


def test_shut_gate_ends_the_run_after_phase_one() -> None:
    """Where the gate stays shut no layer of the base is trained, and the run says why."""
    config = small_config(gate={"force": False}, phase_one={"epochs": 1})
    network = small_network(config)
    outcome = learn(network, config, watching := Watching(network))
    assert outcome.gate is not None
    assert not outcome.gate.opened
    assert {epoch.phase for epoch in outcome.epochs} == {"phase_one"}
    assert outcome.kept == "phase_one"
    assert watching.notes == [outcome.gate.reason] == list(outcome.notes)
