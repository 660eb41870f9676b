"""A file that is reloaded when it changes; if the new content is broken, the last good content stays in use."""

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
    """The content of the file at `path`, as returned by `read`; at most a second old.

    Nothing runs in the background: each access checks for a change at most once a second, so that a file that changed
    meanwhile is reloaded before its content is returned. A check is one `stat`, two microseconds.

    Raises:
        ContractError: when created, if `read` raises it for a file that is missing or broken. Later errors are logged,
            one line for each change, and the content stays the same.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], _Content], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._seen = _identity(path)  # before reading, so that a change in between is found at the next check
        self._content = read(path)
        self._next_look = clock() + _LOOK_SECONDS

    def content(self) -> _Content:
        """Return the last good content."""
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
            _logger.error("%s The previous content stays in use.", error)
            return
        _logger.info("%s was reloaded.", self._path)


def _identity(path: Path) -> _Identity:
    """Return what changes when the file's content does, None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
