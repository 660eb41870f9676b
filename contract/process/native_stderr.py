"""The standard error of native libraries, which they write to past Python."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STANDARD_ERROR = 2


@contextmanager
def discarded_native_stderr() -> Iterator[None]:
    """Discard what is written to the process's standard error meanwhile: some libraries report there on every call.

    They have no setting for it. What goes wrong comes back from them as an error, with its message.
    """
    sys.stderr.flush()
    kept = os.dup(_STANDARD_ERROR)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), _STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
