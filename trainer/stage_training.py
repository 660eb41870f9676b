"""Training one stage, epoch by epoch, so that it can be taken up again after any of them.

Keras's own callbacks for early stopping and for plateaus forget what they counted when training is taken up again, so
what they would hold is kept here as data, and each epoch is one `fit`. Everything random in an epoch depends on the
run's seed, the stage and the epoch alone: an interrupted run that is resumed has the same weights, bit for bit.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.checkpoint import Arrays, StagePosition
from trainer.config import PhaseSettings, TrainingConfig
from trainer.errors import DivergedError
from trainer.feeding import TrainingData, drawn_batches
from trainer.journal import Journal
from trainer.network import Network
from trainer.optimizers import LayerwiseAdam, make_gentle_adam, make_steady_adam
from trainer.prediction import Predictor
from trainer.progress import Epoch, Progress
from trainer.stages import Score, Stage, StageOutcome, layer_factors

_DATA, _DROPOUT = 1, 2
"""Two streams of random numbers."""

_BETTER = 1e-4
"""Nats by which a validation loss must fall to count against patience: less is rounding."""


@dataclass(frozen=True)
class Classroom:
    """What a stage is trained with: `model` is the whole network or its tail, `data` what that takes.

    `predictor` answers with that model.
    """

    network: Network
    model: Any
    predictor: Predictor
    data: TrainingData
    config: TrainingConfig
    journal: Journal
    progress: Progress


def train_stage(stage: Stage, room: Classroom) -> StageOutcome:
    """Train the stage to its end, from where it stands; the network ends with its best weights, or as it was before.

    The variables that learn must have been set already (see `Network.unfreeze`).

    Raises:
        DivergedError: the loss, or a weight, became NaN or infinite in a stage that nothing good came before.
    """
    return _StageTraining(stage, room).run()


class _StageTraining:
    def __init__(self, stage: Stage, room: Classroom) -> None:
        self._stage, self._room, self._config = stage, room, room.config
        self._settings: PhaseSettings = room.config.phase_two if stage.phase == "phase_two" else room.config.phase_one
        self._number = len(room.journal.outcomes)
        self._variables = room.network.changing_variables(stage.phase)
        self._position, self._kept = self._start()

    def run(self) -> StageOutcome:
        steps = -(-self._room.data.train.pictures // self._config.data.batch_size)
        self._room.progress.on_phase(self._stage.phase, self._settings.epochs, steps, self._position.epoch)
        while not self._position.ended:
            self._advance()
        outcome = self._conclude()
        self._room.journal.end_stage(self._position, outcome, {"current": self._values()})
        return outcome

    def _start(self) -> tuple[StagePosition, Arrays]:
        self._compile()
        found = self._room.journal.position_in(self._stage)
        if found is not None:
            position, arrays = found
            self._assign(self._variables, arrays["current"])
            self._assign(self._room.model.optimizer.variables, arrays["optimizer"])
            return position, {"best": arrays["best"], "before": arrays["before"]}
        before = self._score() if self._stage.phase == "phase_two" else None
        values = self._values()
        position = StagePosition(stage=self._stage, before=before, learning_rate=self._settings.learning_rate)
        return position, {"best": values, "before": values}

    def _compile(self) -> None:
        # compiled anew, with an optimizer of its own: Keras goes on training the old set of variables otherwise
        self._room.model.compile(
            optimizer=self._optimizer(),
            loss=keras.losses.CategoricalCrossentropy(),
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            jit_compile=self._config.hardware.xla,
        )
        _create_training_state(self._room.model)

    def _optimizer(self) -> LayerwiseAdam:
        variables = self._room.model.trainable_variables
        if self._stage.phase != "phase_two":
            return make_steady_adam(self._settings.learning_rate, len(variables))
        steps = -(-self._room.data.train.pictures // self._config.data.batch_size)
        factors = layer_factors(self._room.network, variables, self._config)
        return make_gentle_adam(self._config.phase_two, factors, steps * self._settings.epochs)

    def _advance(self) -> None:
        number = self._position.epoch
        started = time.monotonic()
        try:
            logs = self._train_epoch(number)
            seconds = time.monotonic() - started
            self._see_finite_weights(number)
            with self._averages_in_place():
                score = self._score()
                self._judge(score)
        except DivergedError as error:
            if self._stage.phase != "phase_two":
                raise
            self._position = self._position.model_copy(update={"ended": "diverged", "remark": str(error)})
            return
        epoch = Epoch(
            self._stage.phase,
            number + 1,
            self._settings.epochs,
            loss=logs["loss"],
            accuracy=logs["accuracy"],
            val_loss=score.loss,
            val_accuracy=score.accuracy,
            learning_rate=logs["learning_rate"],
            unfrozen_layers=self._stage.unfrozen,
            pictures=self._room.data.train.pictures,
            seconds=seconds,
        )
        self._room.journal.end_epoch(self._position, epoch, self._arrays())
        self._room.progress.on_epoch(epoch)

    def _train_epoch(self, number: int) -> dict[str, float]:
        room, optimizer = self._room, self._room.model.optimizer
        if self._stage.phase != "phase_two":
            optimizer.learning_rate.assign(self._position.learning_rate)
        seed = (self._config.seed, self._number, number)
        room.network.seed_dropouts(*seed, _DROPOUT)
        where = f"epoch {number + 1} of {self._stage.phase}"
        watch = _StepWatch(where, self._setting, room.progress)
        history = room.model.fit(
            drawn_batches(room.data.train, self._config.data.batch_size, (*seed, _DATA)),
            epochs=1,
            shuffle=False,  # the batches are drawn already
            verbose=0,
            callbacks=[watch],
        ).history
        return {
            "loss": float(history["loss"][0]),
            "accuracy": float(history["accuracy"][0]),
            "learning_rate": float(keras.ops.convert_to_numpy(optimizer.learning_rate)),
        }

    def _see_finite_weights(self, number: int) -> None:
        """Look at what the epoch made of the weights: an activation may hide NaN in them from the loss."""
        if not all(np.isfinite(values).all() for values in self._values()):
            raise DivergedError(
                f"Weights became NaN or infinite in epoch {number + 1} of {self._stage.phase}. Try a lower "
                f"{self._setting}."
            )

    @property
    def _setting(self) -> str:
        return f"{self._stage.phase}.learning_rate".replace("from_scratch", "phase_one")

    def _judge(self, score: Score) -> None:
        """Take the score of an epoch into account: is it the best, has patience run out, is the rate too high."""
        at, settings = self._position, self._settings
        better = at.lowest_loss is None or score.loss < at.lowest_loss - _BETTER
        waited = 0 if better else at.waited + 1
        plateau, rate = 0 if better else at.plateau_waited + 1, at.learning_rate
        if plateau >= self._config.phase_one.plateau_patience:
            plateau, rate = 0, rate * self._config.phase_one.plateau_factor
        best = at.best
        if (best is None or score.loss < best.loss) and (at.before is None or score.is_no_worse_than(at.before)):
            best, self._kept["best"] = score, self._values()
        ended = "no longer better" if waited >= settings.patience else ""
        if not ended and at.epoch + 1 >= settings.epochs:
            ended = "out of epochs"
        self._position = at.model_copy(
            update={
                "epoch": at.epoch + 1,
                "best": best,
                "lowest_loss": score.loss if at.lowest_loss is None else min(score.loss, at.lowest_loss),
                "waited": waited,
                "plateau_waited": plateau,
                "learning_rate": rate,
                "ended": ended,
            }
        )

    def _conclude(self) -> StageOutcome:
        at = self._position
        assert at.ended
        self._assign(self._variables, self._kept["best"] if at.best else self._kept["before"])
        if at.best is not None:
            return StageOutcome(stage=self._stage, kept=True, score=at.best, ended=at.ended, remark=at.remark)
        assert at.before is not None, "without something before, the first epoch is the best so far"
        return StageOutcome(stage=self._stage, kept=False, score=at.before, ended=at.ended, remark=at.remark)

    def _score(self) -> Score:
        return self._room.predictor.score(self._room.data.val, self._config.data.batch_size)

    @contextmanager
    def _averages_in_place(self) -> Iterator[None]:
        """Put the moving averages, if there are any, where they can be judged and kept."""
        averages = self._room.model.optimizer.averages
        variables = self._room.model.trainable_variables
        now = [variable.numpy() for variable in variables] if averages else []
        self._assign(variables if averages else [], [average.numpy() for average in averages])
        yield
        self._assign(variables if averages else [], now)

    def _arrays(self) -> Arrays:
        optimizer = [variable.numpy() for variable in self._room.model.optimizer.variables]
        return {"current": self._values(), "optimizer": optimizer, **self._kept}

    def _values(self) -> list[npt.NDArray[Any]]:
        return [variable.numpy() for variable in self._variables]

    def _assign(self, variables: list[Any], values: list[npt.NDArray[Any]]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


class _StepWatch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Moves the progress, and stops at the first step whose loss is no number."""

    def __init__(self, where: str, setting: str, progress: Progress) -> None:
        super().__init__()
        self._where, self._setting, self._progress = where, setting, progress

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the loss after a step."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss became {loss} in step {batch + 1} of {self._where}. Try a lower {self._setting}."
            )
        self._progress.on_step()


def _create_training_state(model: Any) -> None:
    """Create the variables of optimizer, loss and metrics before the first step.

    Left to `fit` they are created inside the first step's graph, which TensorFlow then has to trace a second time:
    42 s instead of 20 s for MobileNetV2 on a slow machine.
    """
    model.optimizer.build(model.trainable_variables)
    classes = model.output_shape[-1]
    probabilities = tf.fill([1, classes], 1.0 / classes)
    model.compute_loss(x=None, y=probabilities, y_pred=probabilities, sample_weight=tf.ones([1]))
    model.compute_metrics(None, probabilities, probabilities, sample_weight=tf.ones([1]))
    model.reset_metrics()
