"""What the process has imported from which `multiprocessing` forks the others: TensorFlow, and nothing has run in it.

`tests/conftest.py` names it. A process that is forked there begins in a tenth of a second, not after the five that
TensorFlow's import takes. It has one thread, so a fork of it is as good as a process that imported the same.
"""

from trainer.tensorflow_start import start_tensorflow

start_tensorflow()

import keras  # noqa: E402, F401 - after TensorFlow's settings
