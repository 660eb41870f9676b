"""What is not for users of a command."""

import logging
import os


def quieten_tensorflow() -> None:
    """Keep TensorFlow from reporting on graphs, devices and tracing; call it before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
