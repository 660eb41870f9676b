"""What holds for all tests."""

import os

from trainer.tensorflow_start import prepare_tensorflow

# before anything imports TensorFlow, as our commands do: or a test's numbers would depend on which file ran before it
prepare_tensorflow()

# a lineage that a developer keeps must never hear of what tests train
os.environ.pop("GRAFT_LINEAGE_URL", None)
