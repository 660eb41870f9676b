"""What holds for all tests."""

import os

# a lineage that a developer keeps must never hear of what tests train
os.environ.pop("GRAFT_LINEAGE_URL", None)
