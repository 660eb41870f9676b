"""Stopping a run on SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(BaseException):
    """SIGTERM was received; like `KeyboardInterrupt` not an `Exception`, so that no handler of failures catches it."""


@contextmanager
def sigterm_as_exception() -> Iterator[None]:
    """Raise `TerminatedError` in the main thread when SIGTERM is received."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
