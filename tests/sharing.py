"""What takes long to make is made once a session, by whichever test worker needs it first, and used by all.

Nobody may change what is shared; a test that writes takes a copy.
"""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

_T = TypeVar("_T")


def made_once(folder: Path, make: Callable[[Path], _T]) -> _T:
    """Let one of the workers fill a folder by `make`, and return what that returned; the others wait for it."""
    returned = folder.with_suffix(".pickle")  # no renaming of the folder: the lineage remembers paths
    with FileLock(folder.with_suffix(".lock")):
        if not returned.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            returned.write_bytes(pickle.dumps(make(folder)))
    made: _T = pickle.loads(returned.read_bytes())
    return made
