"""Where tests find things: the repository, and what may lie outside it. No other file names a path outside.

`GRAFT_DATA` is the folder of photographs and weights, `GRAFT_CONFORMANCE` that of TensorFlow Serving's recordings,
`GRAFT_CASES` that of small inputs which people reported, `GRAFT_CONTAINER_LAB` that of the tools which run containers.
Relative paths are relative to the repository. What is missing is skipped. `python -m tests.places` prints them as shell
variables.
"""

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""

DATA = (ROOT / os.environ.get("GRAFT_DATA", "../shared/data")).resolve()
CONFORMANCE = (ROOT / os.environ.get("GRAFT_CONFORMANCE", "../shared/conformance/tfserving")).resolve()
CASES = (ROOT / os.environ.get("GRAFT_CASES", "../shared/cases")).resolve()
CONTAINER_LAB = (ROOT / os.environ.get("GRAFT_CONTAINER_LAB", "../shared/tools/container-lab")).resolve()

if __name__ == "__main__":
    found = {
        "GRAFT_DATA": DATA,
        "GRAFT_CONFORMANCE": CONFORMANCE,
        "GRAFT_CASES": CASES,
        "GRAFT_CONTAINER_LAB": CONTAINER_LAB,
    }
    sys.stdout.writelines(f"export {name}={shlex.quote(str(place))}\n" for name, place in found.items())
