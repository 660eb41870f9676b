"""What holds for all tests."""

import multiprocessing
import os

# a lineage that a developer keeps must never hear of what tests train
os.environ.pop("GRAFT_LINEAGE_URL", None)

# tests start dozens of processes with TensorFlow; see tests/preloaded.py. The server starts when it is first needed
multiprocessing.set_start_method("forkserver")
multiprocessing.set_forkserver_preload(["tests.preloaded"])
