"""Which lines are left out of a log that would otherwise hold nothing but one kind of them."""

import random
import time
from collections.abc import Callable

FIRST_IN_A_MINUTE = 100
"""Lines of one kind that are always written: about a line each half second, which no disk minds."""

_MINUTE_SECONDS = 60.0
_MOST_KINDS = 1000


class LogSample:
    """Decides for each line of a kind whether it is written: the first hundred in a minute are, then a share of them.

    A flood of one kind, such as shed requests under overload, then does not push everything else out of the log.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._kinds: dict[object, _Kind] = {}

    def takes(self, kind: object) -> bool:
        """Return whether the next line of this kind is written."""
        if self._share >= 1:
            return True
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            known = self._kinds[kind] = _Kind()
        now = self._clock()
        if now >= known.until:
            known.until, known.seen = now + _MINUTE_SECONDS, 0
        known.seen += 1
        if known.seen <= FIRST_IN_A_MINUTE or is_chosen(self._share):
            return True
        known.left_out += 1
        return False

    def left_out(self, kind: object) -> int | None:
        """Return how many lines of this kind were left out since this was last called; None if none was."""
        known = self._kinds.get(kind)
        if known is None or not known.left_out:
            return None
        number, known.left_out = known.left_out, 0
        return number


class _Kind:
    """What is known of one kind of lines: those of this minute, and those that were left out."""

    __slots__ = ("left_out", "seen", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.seen = 0
        self.left_out = 0


def is_chosen(share: float) -> bool:
    """Return True for a random share of calls."""
    return share >= 1 or random.random() < share  # noqa: S311 - sampling needs no secure randomness
