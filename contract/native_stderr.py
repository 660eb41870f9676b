"""Standard error of native libraries, which write past Python."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STANDARD_ERROR = 2


@contextmanager
def discard_native_stderr() -> Iterator[None]:
    """Discard the process's standard error meanwhile: some libraries write there on every call.

    They have no setting for it. Failures come back from them as errors with messages.
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
