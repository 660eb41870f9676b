"""The environment of a run: packages, system and devices."""

import os
import platform
from importlib.metadata import version

import tensorflow as tf

from trainer.hardware import describe_devices

_PACKAGES = ("keras", "numpy", "pillow")


def environment() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the numbers, the system, cores and devices."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        **{package: version(package) for package in _PACKAGES},
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "devices": describe_devices(),
    }
