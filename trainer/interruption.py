"""What happens when a person or a system asks a run to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(BaseException):
    """SIGTERM came; as `KeyboardInterrupt` it is no `Exception`, so that nothing takes it for a failure."""


@contextmanager
def sigterm_as_exception() -> Iterator[None]:
    """Raise `TerminatedError` in the main thread when SIGTERM comes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
