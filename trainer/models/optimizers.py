"""The optimizers of both phases."""

from collections.abc import Sequence
from typing import Any

import keras

from trainer.config import PhaseTwoSettings
from trainer.models.keras_internals import index_of_variable, moving_averages


class LayerwiseAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
    """Adam with a factor of the learning rate for each variable.

    Keras's own `MultiOptimizer` clips each group of variables by itself and ignores a changed learning rate; one
    optimizer with a factor per variable clips all gradients together. With `use_ema`, the variables keep Adam's
    values, and `averages` holds their moving averages.
    """

    def __init__(self, learning_rate: Any, factors: Sequence[float], **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self._factors = tuple(factors)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable, as Keras asks for it."""
        factor = self._factors[index_of_variable(self, variable)]
        super().update_step(gradient, variable, learning_rate * factor)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Do nothing: Keras would overwrite the variables after each `fit`, and a stage has one `fit` per epoch."""

    @property
    def averages(self) -> list[Any]:
        """The moving average of each variable, in their order; empty without `use_ema`."""
        return moving_averages(self) if self.use_ema else []


def make_phase_one_adam(learning_rate: float, variables: int) -> LayerwiseAdam:
    """Return Adam for phase one, whose learning rate is changed between epochs."""
    return LayerwiseAdam(learning_rate, [1.0] * variables)


def make_phase_two_adam(settings: PhaseTwoSettings, factors: Sequence[float], steps: int) -> LayerwiseAdam:
    """Return Adam for a stage of phase two of `steps` steps: warm-up, schedule, clipping and averages as set."""
    average = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    return LayerwiseAdam(_rate(settings, steps), factors, global_clipnorm=settings.clip_norm, **average)


def _rate(settings: PhaseTwoSettings, steps: int) -> Any:
    warmup = round(settings.warmup * steps)
    if settings.schedule == "constant" and not warmup:
        return settings.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 10 if warmup else settings.learning_rate,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=1.0 if settings.schedule == "constant" else 0.0,
    )
