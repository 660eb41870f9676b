"""What a run was made with, besides our own code."""

import os
import platform
from importlib.metadata import version

import tensorflow as tf

from trainer.hardware import describe_devices

_PACKAGES = ("keras", "numpy", "pillow")


def environment() -> dict[str, str]:
    """Return versions of Python and of what decides the numbers, the system, the cores and the devices."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        **{package: version(package) for package in _PACKAGES},
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "devices": describe_devices(),
    }
