"""Python runs this at its start where PYTHONPATH names this folder, which is how child processes refuse TensorFlow."""

from refusal import refuse_tensorflow

refuse_tensorflow()
