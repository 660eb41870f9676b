"""The optimizer of a stage: a share of the rate per variable, one clipping for all, averages that stay aside."""

import keras
import numpy as np
import pytest

from tests.trainer.small_network import LAST_TWO_BLOCKS, learn, small_config, small_network, weights_of_base
from trainer.config import PhaseTwoSettings
from trainer.models.optimizers import LayerwiseAdam, make_phase_two_adam
from trainer.training.stages import layer_factors

RATE = 0.1


def settings(**changes: float | str | None) -> PhaseTwoSettings:
    return PhaseTwoSettings.model_validate({"epochs": 1, "learning_rate": RATE, "patience": 1, **changes})


def stepped(optimizer: LayerwiseAdam, gradients: list[float], steps: int = 1) -> list[float]:
    variables = [keras.Variable(np.zeros(1, np.float32)) for _ in gradients]
    optimizer.build(variables)
    for _ in range(steps):
        optimizer.apply([np.array([gradient], np.float32) for gradient in gradients], variables)
    return [float(variable.numpy()[0]) for variable in variables]


def test_each_variable_has_its_share_of_the_rate() -> None:
    """Adam's first step is the rate, whatever the gradient; each variable takes its share of it."""
    assert stepped(LayerwiseAdam(RATE, [1.0, 0.1, 0.01]), [3.0, 3.0, 3.0]) == pytest.approx(
        [-0.1, -0.01, -0.001], rel=1e-4
    )


def test_all_gradients_are_clipped_together() -> None:
    """Clipping keeps the norm over all variables at its bound, and so the ratio between their gradients."""
    optimizer = make_phase_two_adam(settings(clip_norm=1.0), [1.0, 1.0], steps=10)
    variables = [keras.Variable(np.zeros(1, np.float32)) for _ in range(2)]
    optimizer.build(variables)
    optimizer.apply([np.array([30.0], np.float32), np.array([40.0], np.float32)], variables)
    momentums = [float(variable.numpy()[0]) / (1 - optimizer.beta_1) for variable in optimizer._momentums]
    assert momentums == pytest.approx([0.6, 0.8], rel=1e-4)


def test_rate_warms_up_and_falls_as_a_cosine() -> None:
    """The rate rises over the warm-up, reaches the setting, and has fallen to nothing at the last step."""
    optimizer = make_phase_two_adam(settings(warmup=0.1), [1.0], steps=100)
    rates = [float(optimizer._learning_rate(step)) for step in range(101)]
    assert rates[0] == pytest.approx(RATE / 10)
    assert max(rates) == rates[10] == pytest.approx(RATE)
    assert rates[55] == pytest.approx(RATE / 2)
    assert rates[100] == pytest.approx(0, abs=1e-8)


def test_constant_schedule_stays() -> None:
    """A constant schedule without warm-up is the setting, and with warm-up rises to it and stays."""
    plain = make_phase_two_adam(settings(schedule="constant", warmup=0.0), [1.0], steps=10)
    assert float(plain.learning_rate.numpy()) == pytest.approx(RATE)
    warmed = make_phase_two_adam(settings(schedule="constant", warmup=0.5), [1.0], steps=10)
    assert [float(warmed._learning_rate(step)) for step in (5, 9)] == pytest.approx([RATE, RATE])


def test_averages_stay_beside_the_variables() -> None:
    """With a moving average the variables are what Adam made them, also when Keras ends a fit, and the averages lag."""
    optimizer = make_phase_two_adam(settings(ema=0.5, schedule="constant", warmup=0.0), [1.0], steps=10)
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer.build([variable])
    for _ in range(2):
        optimizer.apply([np.ones(1, np.float32)], [variable])
    optimizer.finalize_variable_values([variable])
    assert float(variable.numpy()[0]) == pytest.approx(-0.2, rel=1e-3)
    (average,) = optimizer.averages
    assert -0.2 < float(average.numpy()[0]) < 0


def test_stage_with_averages_keeps_the_averages() -> None:
    """What a stage with a moving average leaves behind lies nearer to the start than without it."""
    distances = []
    for average in (None, 0.99):
        config = small_config(
            phase_two={"ema": average, "epochs": 1, "schedule": "constant"},
            phase_one={"epochs": 6, "learning_rate": 0.05},
        )
        network = small_network(config)
        before = weights_of_base(network)["conv_3/kernel"]
        outcome = learn(network, config)
        assert outcome.kept == "phase_two"  # or there is nothing to compare
        distances.append(float(np.abs(weights_of_base(network)["conv_3/kernel"] - before).max()))
    plain, averaged = distances
    assert 0 < averaged < plain / 2


def test_factors_fall_block_by_block_from_the_head() -> None:
    """The head has the whole rate, the last block `layer_decay` of it, the block before that its square."""
    config = small_config(phase_two={"layer_decay": 0.5, "unfreeze": LAST_TWO_BLOCKS})
    network = small_network(config)
    network.unfreeze(LAST_TWO_BLOCKS)
    variables = network.model.trainable_variables
    factors = dict(
        zip([variable.path for variable in variables], layer_factors(network, variables, config), strict=True)
    )
    assert {path: factor for path, factor in factors.items() if "kernel" in path} == {
        "conv_2/kernel": 0.25,
        "conv_3/kernel": 0.5,
        "dense_1/kernel": 1.0,
        "probabilities/kernel": 1.0,
    }
