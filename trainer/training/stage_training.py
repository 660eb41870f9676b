"""Training one stage, epoch by epoch, so that it can be resumed after any of them.

Keras's own callbacks for early stopping and for plateaus forget what they counted when training is resumed, so what
they would hold is kept here as data, and each epoch is one `fit`. Everything random in an epoch depends on the
run's seed, the stage and the epoch alone: an interrupted run that is resumed has the same weights, bit for bit.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import PhaseSettings
from trainer.errors import DivergedError
from trainer.models.optimizers import LayerwiseAdam, make_phase_one_adam, make_phase_two_adam
from trainer.progress import Epoch, Progress
from trainer.training.checkpoint import Arrays, StagePosition
from trainer.training.context import StageContext, TrainingContext
from trainer.training.input_pipeline import TrainingData, shuffled_batches
from trainer.training.prediction import Predictor
from trainer.training.stages import Score, StageOutcome, TrainingStage, layer_factors, set_trainable

_DATA, _DROPOUT = 1, 2
"""Two streams of random numbers."""

_BETTER = 1e-4
"""Nats by which the validation loss must fall to count as better: less is rounding."""


def train_stage(stage: TrainingStage, training: TrainingContext, features: Mapping[int, TrainingData]) -> StageOutcome:
    """Train the stage from where it stands; the network ends with its best weights, or with those from before.

    A stage that a resumed run has ended already is not trained again. `features` are the cached features by split
    point; where there are none for the stage, it is trained on images.

    Raises:
        DivergedError: the loss, or a weight, became NaN or infinite in a stage without earlier weights to keep.
    """
    if ended := training.state.outcome_of(stage):
        return ended
    set_trainable(training.network, stage)
    with training.network.without_frozen_dropout(stage.unfrozen):
        stage_training = _StageTraining(_stage_context(stage, training, features))
        while not stage_training.ended:
            stage_training.run_epoch()
        outcome = stage_training.conclude()
    if outcome.note:
        training.progress.on_note(outcome.note)
    return outcome


def _stage_context(
    stage: TrainingStage, training: TrainingContext, features: Mapping[int, TrainingData]
) -> StageContext:
    network = training.network
    split_point = None if stage.phase == "from_scratch" else network.split_point_for(stage.unfrozen)
    if split_point is None or split_point not in features:
        return StageContext(stage, training, network.model, training.predictor, training.data)
    tail = network.tail(split_point)
    return StageContext(stage, training, tail, Predictor(tail), features[split_point])


class _StageTraining:
    def __init__(self, context: StageContext) -> None:
        self._context, self._stage, self._training = context, context.stage, context.training
        self._config = config = context.training.config
        self._settings: PhaseSettings = config.phase_two if self._stage.phase == "phase_two" else config.phase_one
        self._number = len(self._training.state.outcomes)
        self._steps = -(-context.data.train.images // config.data.batch_size)
        self._variables = self._training.network.changing_variables(self._stage.phase)
        self._position, self._kept = self._start()
        self._training.progress.on_phase(self._stage.phase, self._settings.epochs, self._steps, self._position.epoch)

    @property
    def ended(self) -> bool:
        return bool(self._position.ended)

    def run_epoch(self) -> None:
        """Train one epoch, score it, and save where the stage stands."""
        number = self._position.epoch
        started = time.monotonic()
        try:
            logs = self._train_epoch(number)
            seconds = time.monotonic() - started
            self._check_finite_weights(number)
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
            images=self._context.data.train.images,
            seconds=seconds,
        )
        self._training.state.end_epoch(self._position, epoch, self._arrays())
        self._training.progress.on_epoch(epoch)

    def conclude(self) -> StageOutcome:
        """Put the weights that are kept into the network, and save how the stage ended."""
        at = self._position
        assert at.ended
        score = at.best or at.before
        assert score is not None, "without a score from before, the first epoch is the best so far"
        kept = at.best is not None
        self._assign(self._variables, self._kept["best" if kept else "before"])
        outcome = StageOutcome(stage=self._stage, kept=kept, score=score, ended=at.ended, remark=at.remark)
        self._training.state.end_stage(at, outcome, {"current": self._values()})
        return outcome

    def _start(self) -> tuple[StagePosition, Arrays]:
        self._compile()
        found = self._training.state.position_in(self._stage)
        if found is not None:
            position, arrays = found
            self._assign(self._variables, arrays["current"])
            self._assign(self._context.model.optimizer.variables, arrays["optimizer"])
            return position, {"best": arrays["best"], "before": arrays["before"]}
        before = self._score() if self._stage.phase == "phase_two" else None
        values = self._values()
        position = StagePosition(stage=self._stage, before=before, learning_rate=self._settings.learning_rate)
        return position, {"best": values, "before": values}

    def _compile(self) -> None:
        # compiled again, with an optimizer of its own: otherwise Keras would train the old set of variables
        self._context.model.compile(
            optimizer=self._optimizer(),
            loss=keras.losses.CategoricalCrossentropy(),
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            jit_compile=self._config.hardware.xla,
        )
        _create_training_state(self._context.model)

    def _optimizer(self) -> LayerwiseAdam:
        variables = self._context.model.trainable_variables
        if self._stage.phase != "phase_two":
            return make_phase_one_adam(self._settings.learning_rate, len(variables))
        factors = layer_factors(self._training.network, variables, self._config)
        return make_phase_two_adam(self._config.phase_two, factors, self._steps * self._settings.epochs)

    def _train_epoch(self, number: int) -> dict[str, float]:
        optimizer = self._context.model.optimizer
        if self._stage.phase != "phase_two":
            optimizer.learning_rate.assign(self._position.learning_rate)
        seed = (self._config.seed, self._number, number)
        self._training.network.seed_dropouts(*seed, _DROPOUT)
        where = f"epoch {number + 1} of {self._stage.phase}"
        watch = _StepWatch(where, self._setting, self._training.progress)
        history = self._context.model.fit(
            shuffled_batches(self._context.data.train, self._config.data.batch_size, (*seed, _DATA)),
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

    def _check_finite_weights(self, number: int) -> None:
        """Check the weights after an epoch: an activation may hide their NaN from the loss."""
        if not all(np.isfinite(values).all() for values in self._values()):
            raise DivergedError(
                f"Weights became NaN or infinite in epoch {number + 1} of {self._stage.phase}. Try a lower "
                f"{self._setting}."
            )

    @property
    def _setting(self) -> str:
        return f"{self._stage.phase}.learning_rate".replace("from_scratch", "phase_one")

    def _judge(self, score: Score) -> None:
        """Update the position for an epoch's score: the best weights, patience, and the learning rate."""
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

    def _score(self) -> Score:
        return self._context.predictor.score(self._context.data.val, self._config.data.batch_size)

    @contextmanager
    def _averages_in_place(self) -> Iterator[None]:
        """Put the moving averages, if there are any, into the model, so that they are scored and kept."""
        averages = self._context.model.optimizer.averages
        variables = self._context.model.trainable_variables
        now = [variable.numpy() for variable in variables] if averages else []
        self._assign(variables if averages else [], [average.numpy() for average in averages])
        yield
        self._assign(variables if averages else [], now)

    def _arrays(self) -> Arrays:
        optimizer = [variable.numpy() for variable in self._context.model.optimizer.variables]
        return {"current": self._values(), "optimizer": optimizer, **self._kept}

    def _values(self) -> list[npt.NDArray[Any]]:
        return [variable.numpy() for variable in self._variables]

    def _assign(self, variables: list[Any], values: list[npt.NDArray[Any]]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


class _StepWatch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Reports progress, and stops at the first step whose loss is NaN or infinite."""

    def __init__(self, where: str, setting: str, progress: Progress) -> None:
        super().__init__()
        self._where, self._setting, self._progress = where, setting, progress

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Check the loss after a step."""
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
