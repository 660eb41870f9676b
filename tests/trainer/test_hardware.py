"""What a run computes with: precision by device, and several devices together."""

import keras
import numpy as np
import pytest

from tests.forked import run_forked
from tests.trainer.small_network import small_config
from trainer.config import HardwareSettings
from trainer.hardware import precision, precision_of, strategy_for
from trainer.models.network import Network
from trainer.training.network_building import begin_network, in_full_precision

ON_TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.forked import run_forked
from tests.trainer.small_network import learn, small_config, small_network
from trainer.hardware import strategy_for
config = small_config()
strategy = strategy_for(["CPU:0", "CPU:1"])
with strategy.scope():
    both = learn(small_network(config), config)
alone = learn(small_network(config), config)
print(strategy.num_replicas_in_sync, max(abs(a.val_loss - b.val_loss) for a, b in zip(both.epochs, alone.epochs)))
"""


@pytest.mark.parametrize(
    ("wanted", "gpus", "name"),
    [
        ("auto", 0, "float32"),
        ("auto", 1, "mixed_float16"),
        ("off", 1, "float32"),
        ("on", 0, "mixed_bfloat16"),
        ("on", 2, "mixed_float16"),
    ],
)
def test_precision_suits_the_device(wanted: str, gpus: int, name: str) -> None:
    """Half precision is the default on a GPU only, and each device has the kind that it is quick with."""
    assert precision_of(HardwareSettings.model_validate({"mixed_precision": wanted}), gpus) == name


def test_precision_is_set_for_a_while() -> None:
    """Layers built in half precision compute in it, and later ones do not."""
    with precision("mixed_bfloat16"):
        inside = keras.layers.Dense(1)
    assert (inside.compute_dtype, keras.layers.Dense(1).compute_dtype) == ("bfloat16", "float32")


def test_model_in_half_precision_is_saved_in_full() -> None:
    """What leaves a run that computed in half precision has the same weights and computes in float32."""
    config = small_config(hardware={"mixed_precision": "on"}, model={"weights": "none", "alpha": 0.1, "image_size": 32})
    network, _ = begin_network(config, 2, runs=None)  # type: ignore[arg-type]  # no run is looked for
    assert "bfloat16" in {layer.compute_dtype for layer in network.base.layers}
    model = in_full_precision(network, config)
    assert {layer.compute_dtype for layer in Network(model).base.layers} == {"float32"}
    for full, half in zip(model.get_weights(), network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(full, half)


def test_one_device_needs_no_strategy() -> None:
    """One device, or none, is used as TensorFlow does by itself."""
    assert strategy_for([]).num_replicas_in_sync == strategy_for(["CPU:0"]).num_replicas_in_sync == 1


def test_two_devices_share_each_batch() -> None:
    """Over two devices a run takes the same steps; only dropout draws differently on each."""
    done = run_forked(ON_TWO_DEVICES)
    assert done.returncode == 0, done.stderr
    replicas, difference = done.stdout.split()[-2:]
    assert replicas == "2"
    assert float(difference) < 0.01
