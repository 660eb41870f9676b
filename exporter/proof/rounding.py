"""How far rounding alone moves a trained network's probabilities on this processor, and the bound that follows.

A network that is computed in another order, by another library or with folded layers rounds differently. How much that
moves a probability depends on the network: 1e-7 for a fine-tuned one, 1e-5 for a small one trained from scratch. So
the bound is a multiple of what the trained model itself shows; docs/decisions/0014-the-bound-on-differences.md has the
measurements.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.blessing import RoundingNoise
from contract.image_input import ImageInput
from trainer.data.preprocessing import scale_pixels
from trainer.runs.trained_model import read_run

LEAST_BOUND = 1e-5
"""The bound on a probability where the network's own noise is small."""

LARGEST_BOUND = 1e-4
"""No version may differ by more, however much noise its network has."""

MULTIPLE_OF_NOISE = 8.0
"""The largest ratio measured was 2.6, and other networks on other processors will show larger ones."""

Probabilities = npt.NDArray[np.float32]

_DOUBLE_CPU_SECONDS = 20.0
"""Of the processor, so that what else the machine does changes nothing."""
_DOUBLE_LARGEST_PARAMETERS = 150_000_000
"""1.2 GB of weights in double precision, beside the trained model's own."""

_CANNOT_COMPUTE = (ValueError, TypeError, AttributeError, LookupError, NotImplementedError, tf.errors.OpError)
"""What Keras and TensorFlow raise where a layer is made for float32 alone."""


def bound_for(noise: RoundingNoise | None) -> float:
    """Return how far a probability may be from the trained model's, given its noise; the least bound without any."""
    largest = noise.largest if noise else 0.0
    return float(np.clip(MULTIPLE_OF_NOISE * largest, LEAST_BOUND, LARGEST_BOUND)) if largest > 0 else LEAST_BOUND


def measure_noise(model: Any, image_input: ImageInput, pixels: npt.NDArray[np.uint8]) -> RoundingNoise:
    """Compare the trained model's probabilities of `pixels`, uint8 [K, H, W, 3], in one batch with those of other ways.

    Those are one image at a time, and double precision, where the network can be computed in it: as many images
    as 20 seconds of processor time allow, and at least one.
    """
    if not len(pixels):
        return RoundingNoise()
    values = scale_pixels(pixels, image_input)
    together = _predict(model, values)
    alone = np.concatenate([_predict(model, values[row : row + 1]) for row in range(len(pixels))])
    double = _predict_in_double_precision(model, values)
    return RoundingNoise(
        batch=largest_difference(alone, together),
        precision=None
        if double is None
        else max(largest_difference(double, way[: len(double)]) for way in (together, alone)),
    )


def predict_on_one_thread(run: Path, image_input: ImageInput, pixels: npt.NDArray[np.uint8]) -> Probabilities:
    """Return the probabilities, float32 [K, C], of the model of the run in the folder `run`, in one batch.

    For a process whose TensorFlow has one thread: see `fresh_process`.
    """
    probabilities: Probabilities = _predict(read_run(run).load_model(), scale_pixels(pixels, image_input))
    return probabilities


def largest_difference(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float:
    """Return the largest difference between two arrays of probabilities of one shape; 0 where they are empty."""
    return float(np.abs(one - other).max(initial=0.0))


def _predict(model: Any, values: Any) -> Any:
    return model(values, training=False).numpy()


def _predict_in_double_precision(model: Any, values: tf.Tensor) -> npt.NDArray[np.float64] | None:
    """Return float64 [k, C] of the first k images; None where it cannot be computed."""
    if model.count_params() > _DOUBLE_LARGEST_PARAMETERS:
        return None
    ends = time.process_time() + _DOUBLE_CPU_SECONDS
    rows: list[npt.NDArray[np.float64]] = []
    try:
        double = _in_double_precision(model)
        for value in tf.cast(values, tf.float64):
            rows.append(_predict(double, value[None]))
            if time.process_time() > ends:
                break
    except _CANNOT_COMPUTE:
        return None
    return np.concatenate(rows) if rows and rows[0].dtype == np.float64 else None


def _in_double_precision(model: Any) -> Any:
    double = type(model).from_config(_with_float64(model.get_config()))
    double.set_weights([np.float64(weight) if weight.dtype == np.float32 else weight for weight in model.get_weights()])
    return double


def _with_float64(config: Any) -> Any:
    """Return a Keras configuration in which every layer, and every policy, computes in float64 in place of float32."""
    if isinstance(config, dict):
        return {
            key: "float64" if value == "float32" and key in {"dtype", "name"} else _with_float64(value)
            for key, value in config.items()
        }
    return type(config)(map(_with_float64, config)) if isinstance(config, list | tuple) else config
