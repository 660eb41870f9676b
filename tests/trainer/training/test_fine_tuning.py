"""Two-phase fine-tuning: what moves when, what never does, and that nothing ends worse than it was."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.trainer.small_network import (
    LAST_BLOCK,
    LAST_TWO_BLOCKS,
    Watching,
    learn,
    moved,
    pipeline_of_two_classes,
    small_base,
    small_config,
    small_network,
    weights_of_base,
)
from trainer.config import HeadSettings
from trainer.errors import DivergedError
from trainer.models.head import add_head, divide_logits
from trainer.progress import PhaseName
from trainer.training.prediction import Predictor
from trainer.training.stages import Score

Seen = tuple[dict[str, Any], Watching]


@pytest.fixture(scope="module", params=["auto", "never"])
def fine_tuned(request: pytest.FixtureRequest) -> Seen:
    """The base before, and what was seen of it in both phases, with and without cached features."""
    config = small_config(phase_one={"epochs": 2, "cache_features": request.param})
    network = small_network(config)
    before = weights_of_base(network)
    watching = Watching(network)
    learn(network, config, watching)
    return before, watching


def test_phase_one_moves_nothing_in_the_base(fine_tuned: Seen) -> None:
    """While the head learns, no variable of the base changes, BatchNorm's averages included."""
    before, watching = fine_tuned
    assert [moved(before, base) for base in watching.bases["phase_one"]] == [set(), set()]


def test_phase_two_moves_the_last_layers_alone(fine_tuned: Seen) -> None:
    """In phase two only the last N layers of the base change, and of these no BatchNorm."""
    before, watching = fine_tuned
    for base in watching.bases["phase_two"]:
        assert moved(before, base) == {"conv_3/kernel", "conv_3/bias"}


@pytest.mark.parametrize("phase", ["phase_one", "phase_two"])
def test_batch_norm_never_moves(fine_tuned: Seen, phase: PhaseName) -> None:
    """Mean, variance, gamma and beta of every BatchNorm stay the same, to the bit, in either phase."""
    before, watching = fine_tuned
    norms = {name for name in before if name.startswith("norm_")}
    assert {name.split("/")[1] for name in norms} == {"gamma", "beta", "moving_mean", "moving_variance"}
    for base in watching.bases[phase]:
        assert moved(before, base) & norms == set()


def test_progress_is_told_of_phases_epochs_and_steps(fine_tuned: Seen) -> None:
    """Both phases, each epoch and every step are told as they happen."""
    _, watching = fine_tuned
    assert watching.phases == [("phase_one", 2, 4, 0), ("phase_two", 2, 4, 0)]
    assert [(epoch.phase, epoch.number, epoch.of, epoch.unfrozen_layers) for epoch in watching.epochs] == [
        ("phase_one", 1, 2, 0),
        ("phase_one", 2, 2, 0),
        ("phase_two", 1, 2, LAST_BLOCK),
        ("phase_two", 2, 2, LAST_BLOCK),
    ]
    assert watching.steps == 8
    assert all(epoch.images == 32 and epoch.seconds > 0 for epoch in watching.epochs)


def test_gradual_unfreezing_goes_block_by_block() -> None:
    """Several numbers make as many stages, each moved to a block boundary, and each deeper one moves more."""
    config = small_config(phase_two={"unfreeze": [LAST_BLOCK + 1, LAST_TWO_BLOCKS], "epochs": 1})
    network = small_network(config)
    before = weights_of_base(network)
    watching = Watching(network)
    learn(network, config, watching)
    assert [epoch.unfrozen_layers for epoch in watching.epochs[3:]] == [LAST_BLOCK, LAST_TWO_BLOCKS]
    first, second = (moved(before, base) for base in watching.bases["phase_two"])
    assert first == {"conv_3/kernel", "conv_3/bias"}
    assert second == first | {"conv_2/kernel", "conv_2/bias"}


def test_layers_between_a_boundary_and_the_last_n_stay_frozen() -> None:
    """One number is taken as it is, also where it is no block boundary."""
    config = small_config(phase_two={"unfreeze": LAST_BLOCK + 2})  # without the convolution of the second block
    network = small_network(config)
    before = weights_of_base(network)
    learn(network, config, watching := Watching(network))
    assert moved(before, watching.bases["phase_two"][-1]) == {"conv_3/kernel", "conv_3/bias"}


@pytest.mark.parametrize(("count", "trained"), [(1, set()), (3, {"conv_3"}), (99, {"conv_1", "conv_2", "conv_3"})])
def test_unfreezing_leaves_flags_that_hold(count: int, trained: set[str]) -> None:
    """Of the last N layers those with weights are trained, never a BatchNorm, whatever the flags were before."""
    network = small_network(small_config())
    for flags_before in (True, False):
        network.base.trainable = flags_before
        network.unfreeze(count)
        assert {layer.name for layer in network.base.layers if layer.trainable_variables} == trained


def test_frozen_base_has_nothing_to_train() -> None:
    """A frozen base leaves only the head's variables to the optimizer."""
    network = small_network(small_config())
    network.unfreeze(0)
    assert network.base.trainable_variables == []
    assert len(network.model.trainable_variables) == 4  # two dense layers


def test_from_scratch_moves_every_layer() -> None:
    """Without base weights every variable of the base learns, and BatchNorm's averages follow the images."""
    config = small_config(phase_one={"learning_rate": 0.002}, phase_two={"learning_rate": 0.0002})
    network = small_network(config)
    before = weights_of_base(network)
    outcome = learn(network, config, scratch=True)
    assert moved(before, weights_of_base(network)) == set(before)
    assert (outcome.kept, len(outcome.epochs), outcome.gate) == ("from_scratch", 3, None)


def score_of(network: Any, swapped: bool = False) -> float:
    pipeline = pipeline_of_two_classes(swapped=swapped)
    probabilities = network.model(pipeline.rows.take(np.arange(32)).astype(np.float32) / 255).numpy()
    truth = pipeline.targets[0].argmax(axis=1)
    return float(-np.log(probabilities[np.arange(32), truth]).mean())


def test_better_second_phase_is_kept() -> None:
    """A second phase that goes on to learn is kept, with the score of its best epoch."""
    config = small_config(
        phase_one={"epochs": 6, "learning_rate": 0.05}, phase_two={"epochs": 4, "learning_rate": 0.005}
    )
    network = small_network(config)
    outcome = learn(network, config)
    second = [epoch for epoch in outcome.epochs if epoch.phase == "phase_two"]
    assert outcome.kept == "phase_two"
    assert outcome.score.loss == min(epoch.val_loss for epoch in second)
    assert score_of(network) == pytest.approx(outcome.score.loss, rel=1e-4)


def test_worse_second_phase_leaves_the_weights_of_phase_one() -> None:
    """Where validation contradicts training, more training is worse: the model ends as phase one left it."""
    config = small_config(phase_one={"epochs": 1})
    network = small_network(config)
    outcome = learn(network, config, watching := Watching(network), val=pipeline_of_two_classes(swapped=True))
    one, two = outcome.epochs[0], outcome.epochs[-1]
    assert two.val_loss > one.val_loss  # or this proves nothing
    assert outcome.kept == "phase_one"
    assert outcome.score.loss == pytest.approx(one.val_loss, rel=1e-5)
    assert moved(weights_of_base(network), watching.bases["phase_two"][-1])  # phase two did move the base
    assert moved(weights_of_base(network), watching.bases["phase_one"][-1]) == set()
    assert score_of(network, swapped=True) == pytest.approx(one.val_loss, rel=1e-4)
    assert [note for note in watching.notes if "the weights from before are kept" in note] == [outcome.notes[-1]]


def test_second_phase_that_is_better_in_one_measure_only_is_undone() -> None:
    """Lower loss at lower accuracy, or the other way round, does not count as better."""
    before = Score(loss=0.5, accuracy=0.8)
    assert Score(loss=0.4, accuracy=0.8).is_no_worse_than(before)
    assert not Score(loss=0.4, accuracy=0.79).is_no_worse_than(before)
    assert not Score(loss=0.51, accuracy=0.9).is_no_worse_than(before)


def test_phase_ends_with_its_best_epoch_and_not_its_last() -> None:
    """A phase stops after `patience` epochs without a better one, and gives back the weights of the best."""
    config = small_config(phase_one={"epochs": 20, "learning_rate": 0.005}, phase_two={"learning_rate": 0.0005})
    network = small_network(config)
    outcome = learn(network, config, scratch=True, val=pipeline_of_two_classes(swapped=True))
    losses = [epoch.val_loss for epoch in outcome.epochs]
    assert losses.index(min(losses)) + config.phase_one.patience == len(losses) - 1 < 19
    assert outcome.score.loss == min(losses)


def test_learning_rate_falls_where_the_loss_stands_still() -> None:
    """After `plateau_patience` epochs without a better validation loss the rate is multiplied by the factor."""
    config = small_config(phase_one={"epochs": 5, "patience": 5, "plateau_factor": 0.25})
    outcome = learn(small_network(config), config, scratch=True, val=pipeline_of_two_classes(swapped=True))
    losses = [epoch.val_loss for epoch in outcome.epochs]
    assert min(losses) == losses[0]  # or the rate has no reason to fall
    assert [epoch.learning_rate for epoch in outcome.epochs] == pytest.approx([0.02, 0.02, 0.02, 0.005, 0.005])


def test_loss_that_is_no_number_stops_phase_one_and_names_the_step() -> None:
    """A loss that is no longer a number ends training at once, with step, epoch, phase and the setting to lower."""
    config = small_config(phase_one={"cache_features": "never"})
    watching = Watching(network := small_network(config))
    message = r"^The loss became nan in step 1 of epoch 1 of phase_one\. Try a lower phase_one\.learning_rate\.$"
    with pytest.raises(DivergedError, match=message):
        learn(network, config, watching, train=pipeline_of_two_classes(factor=np.nan))
    assert watching.steps == 0


@pytest.mark.parametrize("cache", ["auto", "never"])
@pytest.mark.parametrize("factor", [np.nan, np.inf])
@pytest.mark.parametrize("split", ["train", "val"])
def test_inputs_that_are_no_numbers_stop_training(cache: str, factor: float, split: str) -> None:
    """NaN and infinity in what the network sees stop phase one, also where an activation makes zeros of them."""
    config = small_config(phase_one={"cache_features": cache})
    network = small_network(config)
    network.base.get_layer("conv_1").set_weights([np.zeros((3, 3, 3, 4)), np.zeros(4)])
    broken: dict[str, Any] = {split: pipeline_of_two_classes(factor=factor)}
    message = "The loss became nan in step 1" if (cache, split) == ("never", "train") else "The network's input is NaN"
    with pytest.raises(DivergedError, match=message):
        learn(network, config, **broken)


def test_weights_that_are_no_numbers_stop_training() -> None:
    """NaN in the weights of the base stops training from scratch, whatever the activation behind them makes of it."""
    config = small_config()
    network = small_network(config)
    kernel, bias = network.base.get_layer("conv_3").get_weights()
    bias[0] = np.nan
    network.base.get_layer("conv_3").set_weights([kernel, bias])
    with pytest.raises(DivergedError, match=r"became (nan|NaN or infinite) in .*epoch 1 of from_scratch\. Try a lower"):
        learn(network, config, scratch=True)


def test_features_that_are_no_numbers_stop_before_training() -> None:
    """A base that answers with infinity is named as what it is before its features are learned from."""
    config = small_config()
    network = small_network(config)
    kernel, bias = network.base.get_layer("conv_3").get_weights()
    network.base.get_layer("conv_3").set_weights([kernel, np.full_like(bias, np.inf)])
    with pytest.raises(DivergedError, match="The features of the base are NaN or infinite"):
        learn(network, config)


def test_probabilities_that_are_no_numbers_are_not_a_score() -> None:
    """A network that answers with NaN is refused in one sentence."""
    network = small_network(small_config())
    kernel, bias = network.model.layers[-1].get_weights()
    network.model.layers[-1].set_weights([kernel, np.full_like(bias, np.nan)])
    with pytest.raises(DivergedError, match=r"^The network's probabilities became NaN or infinite"):
        Predictor(network.model).score(pipeline_of_two_classes(), 8)


def test_loss_that_is_no_number_in_phase_two_leaves_phase_one() -> None:
    """Where phase two diverges, phase one's weights are kept, and the step is named in the notes."""
    steady = small_config(phase_two={"clip_norm": None})
    network = small_network(steady)
    before = weights_of_base(network)
    beyond_settings = {"learning_rate": 1e29, "schedule": "constant", "warmup": 0.0}
    hot = steady.model_copy(update={"phase_two": steady.phase_two.model_copy(update=beyond_settings)})
    outcome = learn(network, hot)
    assert outcome.stages[-1].ended == "diverged"
    assert outcome.kept == "phase_one"
    assert moved(before, weights_of_base(network)) == set()
    assert "of phase_two. Try a lower phase_two.learning_rate." in outcome.notes[-1]


def test_head_has_the_layers_that_the_settings_name() -> None:
    """The head is pooling, a dense layer with dropout per setting, and a probability per class."""
    model = add_head(small_base(), HeadSettings(units=(16, 4), dropout=(0.5, 0.25)), classes=5)
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [16, 4, 5]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.25]
    probabilities = model(np.ones((3, 8, 8, 3), np.float32)).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_penalty_on_weights_is_part_of_the_loss() -> None:
    """With L2 the training loss is higher by the penalty, and the validation loss stays cross-entropy."""
    plain, penalised = (
        learn(small_network(config), config).epochs[0]
        for config in (small_config(phase_one={"epochs": 1}), small_config(phase_one={"epochs": 1}, head={"l2": 1.0}))
    )
    assert penalised.loss > plain.loss + 1
    assert penalised.val_loss < 2


def test_dividing_the_logits_is_the_temperature() -> None:
    """A model whose logits are divided by T answers with softmax(log p / T)."""
    network = small_network(small_config())
    images = np.random.default_rng(2).uniform(0, 1, (5, 8, 8, 3)).astype(np.float32)
    before = network.model(images).numpy()
    divide_logits(network.model, 2.5)
    sharpened = before ** (1 / 2.5)
    np.testing.assert_allclose(
        network.model(images).numpy(), sharpened / sharpened.sum(axis=1, keepdims=True), rtol=1e-5
    )
