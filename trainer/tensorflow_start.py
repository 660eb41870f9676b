"""Importing TensorFlow at a moment of the caller's choice, as our commands want it."""

from contract.process.native_stderr import discarded_native_stderr
from contract.tensorflow_settings import prepare_tensorflow


def start_tensorflow() -> None:
    """Import TensorFlow, which takes seconds.

    It says that oneDNN is on before anything can tell it not to, so standard error goes nowhere meanwhile;
    exceptions come through.
    """
    prepare_tensorflow()
    with discarded_native_stderr():
        import tensorflow  # noqa: F401, PLC0415 - that it happens here and now is the point
