"""Fine-tuning in two phases: what moves, what must not, and which phase is kept."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.architectures import BASE
from trainer.config import HeadSettings, TrainingConfig, read_config
from trainer.errors import DivergedError
from trainer.fine_tuning import add_head, fine_tune, freeze_base, train_from_scratch, unfreeze_last_layers
from trainer.progress import Epoch, PhaseName, Progress

SIDE = 8
LAST_LAYERS = 3
HEAD = HeadSettings(units=(8,), dropout=(0.0,))


def small_base() -> Any:
    """Build three blocks of convolution, BatchNorm and activation, with statistics as if it had been trained."""
    pictures = keras.Input((SIDE, SIDE, 3))
    values = pictures
    for block in (1, 2, 3):
        values = keras.layers.Conv2D(6, 3, padding="same", name=f"conv_{block}")(values)
        values = keras.layers.BatchNormalization(momentum=0.5, name=f"norm_{block}")(values)
        values = keras.layers.ReLU(name=f"relu_{block}")(values)
    base = keras.Model(pictures, values, name=BASE)
    random = np.random.default_rng(3)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return base


def small_model() -> Any:
    keras.utils.set_random_seed(1)
    return add_head(small_base(), HEAD, classes=2)


def pictures_of_two_classes(*, swapped: bool = False, factor: float = 1.0) -> Any:
    """Return 32 pictures, dark ones of class 0 and bright ones of class 1, or with the labels swapped."""
    labels = np.arange(32, dtype=np.int32) % 2
    noise = np.random.default_rng(2).normal(0, 0.2, (32, SIDE, SIDE, 3))
    values = (noise + (2 * labels - 1)[:, None, None, None]).astype(np.float32) * np.float32(factor)
    return tf.data.Dataset.from_tensor_slices((values, 1 - labels if swapped else labels)).batch(8)


def config(epochs: int = 2, rate: float = 1e-2) -> TrainingConfig:
    return read_config(
        None,
        {
            "phase_one.epochs": epochs,
            "phase_one.learning_rate": rate,
            "phase_two.epochs": epochs,
            "phase_two.learning_rate": rate / 10,
            "phase_two.unfreeze_layers": LAST_LAYERS,
        },
    )


def weights_of_base(model: Any) -> dict[str, Any]:
    return {
        f"{layer.name}/{variable.name}": variable.numpy()
        for layer in model.get_layer(BASE).layers
        for variable in layer.variables
    }


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name, value in before.items() if not np.array_equal(value, after[name])}


class Watching(Progress):
    """Keeps the base's weights at the end of each epoch, and what was told."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.bases: dict[PhaseName, list[dict[str, Any]]] = {}
        self.epochs: list[Epoch] = []
        self.phases: list[tuple[PhaseName, int, int]] = []
        self.steps = 0

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int) -> None:
        """Keep what was announced."""
        self.phases.append((phase, epochs, steps_per_epoch))

    def on_step(self, steps: int = 1) -> None:
        """Count the steps."""
        self.steps += steps

    def on_epoch(self, epoch: Epoch) -> None:
        """Keep the epoch, and the base as it is at its end."""
        self.epochs.append(epoch)
        self.bases.setdefault(epoch.phase, []).append(weights_of_base(self.model))


@pytest.fixture(scope="module")
def fine_tuned() -> tuple[dict[str, Any], Watching]:
    """The base before, and what was seen of it in two phases of two epochs."""
    model = small_model()
    before = weights_of_base(model)
    watching = Watching(model)
    data = pictures_of_two_classes()
    fine_tune(model, data, data, config(), watching)
    return before, watching


def test_phase_one_moves_nothing_in_the_base(fine_tuned: tuple[dict[str, Any], Watching]) -> None:
    """While the head learns, no variable of the base changes, BatchNorm's averages included."""
    before, watching = fine_tuned
    assert [moved(before, base) for base in watching.bases["phase_one"]] == [set(), set()]


def test_phase_two_moves_the_last_layers_alone(fine_tuned: tuple[dict[str, Any], Watching]) -> None:
    """In phase two only the last N layers of the base change, and of these no BatchNorm."""
    before, watching = fine_tuned
    for base in watching.bases["phase_two"]:
        assert moved(before, base) == {"conv_3/kernel", "conv_3/bias"}


@pytest.mark.parametrize("phase", ["phase_one", "phase_two"])
def test_batch_norm_never_moves(fine_tuned: tuple[dict[str, Any], Watching], phase: PhaseName) -> None:
    """Mean, variance, gamma and beta of every BatchNorm stay the same, to the bit, in either phase."""
    before, watching = fine_tuned
    norms = {name for name in before if name.startswith("norm_")}
    assert {name.split("/")[1] for name in norms} == {"gamma", "beta", "moving_mean", "moving_variance"}
    for base in watching.bases[phase]:
        assert moved(before, base) & norms == set()


def test_progress_is_told_of_phases_epochs_and_steps(fine_tuned: tuple[dict[str, Any], Watching]) -> None:
    """Both phases, each epoch and every step are told as they happen."""
    _, watching = fine_tuned
    assert watching.phases == [("phase_one", 2, 4), ("phase_two", 2, 4)]
    assert [(epoch.phase, epoch.number, epoch.of) for epoch in watching.epochs] == [
        ("phase_one", 1, 2),
        ("phase_one", 2, 2),
        ("phase_two", 1, 2),
        ("phase_two", 2, 2),
    ]
    assert watching.steps == 16


@pytest.mark.parametrize(("count", "trained"), [(1, set()), (3, {"conv_3"}), (99, {"conv_1", "conv_2", "conv_3"})])
def test_unfreezing_leaves_flags_that_hold(count: int, trained: set[str]) -> None:
    """Of the last N layers those with weights are trained, never a BatchNorm, whatever the flags were before."""
    model = small_model()
    for flags_before in (True, False):
        model.get_layer(BASE).trainable = flags_before
        settings = config().phase_two.model_copy(update={"unfreeze_layers": count})
        unfreeze_last_layers(model, settings)
        base = model.get_layer(BASE)
        assert {layer.name for layer in base.layers if layer.trainable_variables} == trained


def test_frozen_base_has_nothing_to_train() -> None:
    """A frozen base leaves only the head's variables to the optimizer."""
    model = small_model()
    freeze_base(model)
    assert model.get_layer(BASE).trainable_variables == []
    assert len(model.trainable_variables) == 4  # two dense layers


def test_from_scratch_moves_every_layer() -> None:
    """Without base weights every variable of the base learns, and BatchNorm's averages follow the pictures."""
    model = small_model()
    before = weights_of_base(model)
    data = pictures_of_two_classes()
    outcome = train_from_scratch(model, data, data, config(), Progress())
    assert moved(before, weights_of_base(model)) == set(before)
    assert (outcome.kept, len(outcome.epochs)) == ("from_scratch", 2)


def test_better_second_phase_is_kept() -> None:
    """A second phase that goes on to learn is kept, with the score of its best epoch."""
    model = small_model()
    data = pictures_of_two_classes()
    outcome = fine_tune(model, data, data, config(rate=1e-3), Progress())
    second = [epoch for epoch in outcome.epochs if epoch.phase == "phase_two"]
    assert outcome.kept == "phase_two"
    assert outcome.val_loss == min(epoch.val_loss for epoch in second)
    assert model.evaluate(data, verbose=0)[0] == pytest.approx(outcome.val_loss, rel=1e-4)


def test_worse_second_phase_leaves_the_weights_of_phase_one() -> None:
    """Where validation contradicts training, more training is worse: the model ends as phase one left it."""
    model = small_model()
    train, val = pictures_of_two_classes(), pictures_of_two_classes(swapped=True)
    outcome = fine_tune(model, train, val, config(epochs=1), watching := Watching(model))
    one, two = outcome.epochs
    assert two.val_loss > one.val_loss  # or this proves nothing
    assert (outcome.kept, outcome.val_loss) == ("phase_one", one.val_loss)
    assert moved(weights_of_base(model), watching.bases["phase_two"][-1])  # phase two did move the base
    assert moved(weights_of_base(model), watching.bases["phase_one"][-1]) == set()
    assert model.evaluate(val, verbose=0)[0] == pytest.approx(one.val_loss, rel=1e-4)


def test_phase_ends_with_its_best_epoch_and_not_its_last() -> None:
    """A phase stops after `patience` epochs without a better one, and gives back the weights of the best."""
    model = small_model()
    val = pictures_of_two_classes(swapped=True)
    patient = config(epochs=20)
    outcome = train_from_scratch(model, pictures_of_two_classes(), val, patient, Progress())
    losses = [epoch.val_loss for epoch in outcome.epochs]
    assert losses.index(min(losses)) + patient.phase_one.patience == len(losses) - 1 < 19
    assert outcome.val_loss == min(losses)


@pytest.mark.parametrize("factor", [np.nan, 1e38])
def test_diverged_loss_is_an_error(factor: float) -> None:
    """A loss that is no longer a number ends training with the phase and the setting to lower."""
    data = pictures_of_two_classes(factor=factor)
    with pytest.raises(DivergedError, match=r"in epoch 1 of phase_one; .* Try a lower phase_one\.learning_rate\."):
        fine_tune(small_model(), data, data, config(), Progress())


def test_head_has_the_layers_that_the_settings_name() -> None:
    """The head is pooling, a dense layer with dropout per setting, and a probability per class."""
    model = add_head(small_base(), HeadSettings(units=(16, 4), dropout=(0.5, 0.25)), classes=5)
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [16, 4, 5]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.25]
    probabilities = model(np.ones((3, SIDE, SIDE, 3), np.float32)).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
