"""A file that is read again when it changes, and whose last good content stays when the new one is broken."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from contract.errors import ContractError

_LOOK_SECONDS = 1.0

_Content = TypeVar("_Content")
_Identity = tuple[int, int, int, int] | None

_logger = logging.getLogger(__name__)


class WatchedFile(Generic[_Content]):
    """The content of the file at `path`, as `read` returns it; at most a second old.

    Nothing watches in the background: whoever asks for the content makes it look, so that a file that changed while
    nobody asked is read before the first answer. A look is one `stat`, two microseconds.

    Raises:
        ContractError: at the start, as `read` does for a file that is missing or broken. Later ones are logged, one
            line for each change, and the content stays what it was.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], _Content], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._seen = _identity(path)  # before it is read, so that a change in between is seen at the next look
        self._content = read(path)
        self._next_look = clock() + _LOOK_SECONDS

    def content(self) -> _Content:
        """Return the last content that was good."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._look()
        return self._content

    def _look(self) -> None:
        identity = _identity(self._path)
        if identity == self._seen:
            return
        self._seen = identity
        try:
            self._content = self._read(self._path)
        except ContractError as error:
            _logger.error("%s What was read before stays in force.", error)
            return
        _logger.info("%s was read again.", self._path)


def _identity(path: Path) -> _Identity:
    """Return what changes with a file's content, None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
