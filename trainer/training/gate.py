"""The gate between the phases: the base is trained only when the head has settled.

A head that is still far off sends large gradients into the base, which then forgets what it knew.
"""

import math
from collections.abc import Sequence

from trainer.config import GateSettings
from trainer.progress import Epoch
from trainer.runs.record import GateOutcome
from trainer.training.stages import StageOutcome

_STILL_IMPROVING = 0.01
"""A relative fall of the validation loss over the last `patience` epochs from which a head is still improving."""


def judge_head(
    head: StageOutcome, epochs: Sequence[Epoch], patience: int, classes: int, settings: GateSettings
) -> GateOutcome:
    """Decide whether phase two may start after phase one ended as `head` in these epochs."""
    bound = settings.max_val_loss or max(0.5, 0.35 * math.log(classes))
    settled = head.ended == "no longer better" or _has_settled([epoch.val_loss for epoch in epochs], patience)
    low = head.score.loss <= bound
    reasons = []
    if not settled:
        falling = f"its validation loss had not stopped falling after {len(epochs)} epoch{'s'[: len(epochs) != 1]}"
        reasons.append(f"{falling} (raise phase_one.epochs: --epochs)")
    if not low:
        reasons.append(f"its validation loss is {head.score.loss:.3f}, above {bound:.3f} (gate.max_val_loss)")
    opened = (settled and low) or settings.force
    return GateOutcome(
        opened=opened,
        forced=bool(reasons) and settings.force,
        stopped_improving=settled,
        val_loss=head.score.loss,
        bound=bound,
        reason=_sentence(reasons, settings.force),
    )


def _has_settled(losses: Sequence[float], patience: int) -> bool:
    before = losses[:-patience]
    return bool(before) and (min(before) - min(losses)) / min(before) < _STILL_IMPROVING


def _sentence(reasons: Sequence[str], forced: bool) -> str:
    if not reasons:
        return "The head has settled."
    begins = (
        "Phase two was forced (gate.force), although the head has not settled"
        if forced
        else ("Phase two was skipped, since the head has not settled and would have damaged the base")
    )
    return f"{begins}: {'; '.join(reasons)}."
