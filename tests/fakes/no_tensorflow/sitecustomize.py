"""Python runs this at its start where PYTHONPATH names this folder, which is how child processes refuse TensorFlow."""

from import_guard import refuse_tensorflow  # type: ignore[import-not-found]  # PYTHONPATH names this folder

refuse_tensorflow()
