"""The noise of rounding is measured on the trained model itself, and decides the bound between two limits."""

from typing import Any

import keras
import numpy as np
import pytest

from contract.blessing import RoundingNoise
from contract.image_input import ImageInput
from exporter.proof.rounding import LARGEST_BOUND, LEAST_BOUND, bound_for, measure_noise
from exporter.saved_model.fresh_process import fresh_process
from tests.exporter.runs import small_base
from tests.exporter.tflite_versions import draw
from trainer.config import HeadSettings
from trainer.models.head import add_head

IMAGE_INPUT = ImageInput(height=32, width=32, scale=1 / 127.5, offset=-1.0)


def network() -> Any:
    """Return a network of 32 pixels and three classes."""
    keras.utils.set_random_seed(4)
    return add_head(small_base(), HeadSettings(units=(8,), dropout=(0.0,)), classes=3)


def rounding_network() -> Any:
    """Return the same network behind two layers that change nothing but the last bits of its inputs."""
    inputs = keras.Input((32, 32, 3))
    lifted = keras.layers.Rescaling(1.0, offset=4096.0)(inputs)
    return keras.Model(inputs, network()(keras.layers.Rescaling(1.0, offset=-4096.0)(lifted)))


def images(count: int = 4) -> Any:
    """Return images of 32 pixels."""
    return np.repeat(np.repeat(draw(count)[:, :16, :16], 2, axis=1), 2, axis=2)


@pytest.mark.parametrize(
    ("noise", "bound"),
    [
        (None, LEAST_BOUND),
        (RoundingNoise(), LEAST_BOUND),
        (RoundingNoise(batch=1e-7, threads=0.0, precision=1e-6), LEAST_BOUND),
        (RoundingNoise(batch=1e-7, threads=5e-6, precision=2e-6), 4e-5),
        (RoundingNoise(batch=1.0), LARGEST_BOUND),
        (RoundingNoise(batch=float("nan"), precision=5e-6), 4e-5),
        (RoundingNoise(batch=float("inf")), LEAST_BOUND),
    ],
)
def test_bound_follows_the_noise_between_its_limits(noise: RoundingNoise | None, bound: float) -> None:
    """The bound is eight times the largest noise, never below 1e-5 nor above 1e-4; NaN does not count."""
    assert bound_for(noise) == pytest.approx(bound, rel=1e-6)


def test_noise_is_that_of_the_network() -> None:
    """In double precision a network answers a little otherwise, and much more so where it loses bits on its way."""
    little, much = (measure_noise(model, IMAGE_INPUT, images()) for model in (network(), rounding_network()))
    assert little.threads is None
    assert little.precision is not None
    assert much.precision is not None
    assert 0 < little.precision < 1e-6
    assert much.precision > 10 * little.precision


def test_network_that_only_single_precision_can_compute_has_the_other_noise() -> None:
    """Where a layer computes in float32 whatever it is asked for, the noise in double precision is not known."""
    model = network()
    single = keras.Model(
        model.input, keras.layers.Lambda(lambda values: keras.ops.cast(values, "float32"))(model.output)
    )
    noise = measure_noise(single, IMAGE_INPUT, images())
    assert noise.precision is None
    assert noise.batch is not None


def test_no_images_have_no_noise() -> None:
    """Without a fixture there is nothing to measure, and the least bound holds."""
    noise = measure_noise(network(), IMAGE_INPUT, images()[:0])
    assert noise.largest == 0
    assert bound_for(noise) == LEAST_BOUND


@pytest.mark.parametrize("threads", [1, 3])
def test_process_of_one_thread_has_one(threads: int) -> None:
    """The process that answers on one thread tells TensorFlow so before TensorFlow starts its threads."""
    with fresh_process(threads=threads) as pool:
        assert pool.submit(threads_of_tensorflow).result() == threads


def threads_of_tensorflow() -> int:
    """Return how many threads share an operation, in a process where TensorFlow has computed something."""
    import tensorflow as tf  # noqa: PLC0415 - as `fresh_process` leaves it

    tf.zeros([1]).numpy()
    threads: int = tf.config.threading.get_intra_op_parallelism_threads()
    return threads
