"""Two-phase fine-tuning, and training from scratch where there is nothing to preserve.

What the base knew is kept by four rules: the head learns first, on a frozen base; then only the last layers of the
base move, 10 to 100 times more slowly; BatchNorm never moves; and a second phase that ends worse than the first is
thrown away.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from trainer.architectures import BASE, batch_norms
from trainer.config import FineTuningSettings, HeadSettings, PhaseSettings, TrainingConfig
from trainer.errors import DivergedError
from trainer.progress import Epoch, PhaseName, Progress

_LOGGED = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Outcome:
    """How training went: every epoch, which phase's weights were kept, and their validation score."""

    kept: PhaseName
    val_loss: float
    val_accuracy: float
    epochs: list[Epoch] = field(default_factory=list)


def add_head(base: Any, head: HeadSettings, classes: int) -> Any:
    """Return a model of `base`, global average pooling, dense layers with dropout, and `classes` probabilities."""
    pictures = keras.Input(base.input_shape[1:], name="pictures")
    values = base(pictures)
    values = keras.layers.GlobalAveragePooling2D(name="pool")(values)
    for index, (units, dropout) in enumerate(zip(head.units, head.dropout, strict=True), start=1):
        values = keras.layers.Dense(units, activation="relu", name=f"dense_{index}")(values)
        values = keras.layers.Dropout(dropout, name=f"dropout_{index}")(values)
    probabilities = keras.layers.Dense(classes, activation="softmax", name="probabilities")(values)
    return keras.Model(pictures, probabilities)


def fine_tune(model: Any, train: Any, val: Any, config: TrainingConfig, progress: Progress) -> Outcome:
    """Train the head, then head and last layers of the base; keep the better of the two.

    `train` and `val` are datasets of (pictures float32 [B, H, W, 3], labels int32 [B]). The model is changed in
    place and ends with the best weights of the phase that was kept.
    """
    freeze_base(model)
    one = _run_phase("phase_one", model, train, val, config.phase_one, progress)
    weights_of_phase_one = model.get_weights()
    unfreeze_last_layers(model, config.phase_two)
    two = _run_phase("phase_two", model, train, val, config.phase_two, progress)
    epochs = one.epochs + two.epochs
    if _score(two) >= _score(one):
        return Outcome("phase_two", two.val_loss, two.val_accuracy, epochs)
    model.set_weights(weights_of_phase_one)
    return Outcome("phase_one", one.val_loss, one.val_accuracy, epochs)


def train_from_scratch(model: Any, train: Any, val: Any, config: TrainingConfig, progress: Progress) -> Outcome:
    """Train every layer in one phase, with the settings of phase one; see `fine_tune`."""
    return _run_phase("from_scratch", model, train, val, config.phase_one, progress)


def freeze_base(model: Any) -> None:
    """Freeze every layer of the base, BatchNorm's moving averages included."""
    model.get_layer(BASE).trainable = False


def unfreeze_last_layers(model: Any, settings: FineTuningSettings) -> None:
    """Let the last layers of the base learn, but no BatchNorm.

    `base(x, training=False)` does not hold BatchNorm still in Keras 3: `fit` passes training=True through the graph
    over it. Only `trainable = False` on each BatchNorm does. Flags are set one by one, since setting the base's
    flag to a value that it already has leaves the layers' flags as they are.
    """
    base = model.get_layer(BASE)
    base.trainable = True
    first = max(0, len(base.layers) - settings.unfreeze_layers)
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= first
    for layer in batch_norms(base):
        layer.trainable = False


def _run_phase(
    name: PhaseName, model: Any, train: Any, val: Any, settings: PhaseSettings, progress: Progress
) -> Outcome:
    # compiled anew, with an optimizer of its own: Keras goes on training the old set of variables otherwise
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=False,  # XLA was measured 15 to 20 times slower on a CPU
    )
    _create_training_state(model)
    progress.on_phase(name, settings.epochs, int(train.cardinality()))
    epochs: list[Epoch] = []

    def on_epoch_end(index: int, logs: dict[str, float]) -> None:
        epochs.append(Epoch(name, index + 1, settings.epochs, **{key: float(logs[key]) for key in _LOGGED}))
        progress.on_epoch(epochs[-1])

    model.fit(
        train,
        validation_data=val,
        epochs=settings.epochs,
        shuffle=False,  # the dataset shuffles itself
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(
                on_epoch_end=on_epoch_end, on_train_batch_end=lambda batch, logs: progress.on_step()
            ),
        ],
    )
    last = epochs[-1]
    if not math.isfinite(last.loss + last.val_loss):
        raise DivergedError(
            f"The loss became {last.loss} (validation {last.val_loss}) in epoch {len(epochs)} of {name}; "
            f"nothing was saved. Try a lower {'phase_two' if name == 'phase_two' else 'phase_one'}.learning_rate."
        )
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    return Outcome(name, best.val_loss, best.val_accuracy, epochs)


def _create_training_state(model: Any) -> None:
    """Create the variables of optimizer, loss and metrics before the first step.

    Left to `fit` they are created inside the first step's graph, which TensorFlow then has to trace a second time:
    42 s instead of 20 s for MobileNetV2 on a slow machine.
    """
    model.optimizer.build(model.trainable_variables)
    labels = tf.zeros([1], tf.int32)
    probabilities = tf.fill([1, model.output_shape[-1]], 1.0 / model.output_shape[-1])
    model.compute_loss(x=None, y=labels, y_pred=probabilities)
    model.compute_metrics(None, labels, probabilities)
    model.reset_metrics()


def _score(outcome: Outcome) -> tuple[float, float]:
    return outcome.val_accuracy, -outcome.val_loss
