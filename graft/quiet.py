"""What is not for users of a command."""

from trainer.tensorflow_start import prepare_tensorflow as quieten_tensorflow

__all__ = ["quieten_tensorflow"]
