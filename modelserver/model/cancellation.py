"""Whether the response to a call is still wanted."""

import threading
from collections.abc import Callable, Sequence

from modelserver.errors import CallCancelledError


class CancellationToken:
    """Cancelled once, when the caller has left or its deadline has passed; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Say that nobody waits any more."""
        with self._lock:
            self._is_cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Have `callback` called by the thread that cancels, or now where that was before."""
        with self._lock:
            if not self._is_cancelled:
                self._callbacks.append(callback)
                return
        callback()

    def forget(self, callback: Callable[[], object]) -> None:
        """Have `callback` called no more."""
        with self._lock:
            self._callbacks = [each for each in self._callbacks if each is not callback]


Tokens = Sequence[CancellationToken]
"""Those of all callers that wait for one run; a run without any is always wanted."""


def is_wanted(tokens: Tokens) -> bool:
    """Return whether a caller still waits."""
    return not tokens or not all(token.is_cancelled for token in tokens)


def check_wanted(tokens: Tokens) -> None:
    """Return if a caller still waits.

    Raises:
        CallCancelledError: none does.
    """
    if not is_wanted(tokens):
        raise CallCancelledError("The caller has left, or its deadline has passed; the rest was not computed.")
