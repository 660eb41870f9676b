"""A limit on requests in flight that keeps calls to the model server short while more come than it can serve."""

from collections import deque

_MINIMUM = 4
_CALLS = 32
"""The throughput is that of so many calls: a third of a second of a server that just needs a limit."""
_LEAST_CALLS = 8
_SMOOTHING = 0.2


class AdaptiveLimit:
    """A limit of at most `maximum`, which is what it is as long as no request has to wait, and of at least 4 of them.

    While requests wait, the server has all it can do, and by Little's law its calls take as long as the limit divided
    by the calls that it completes a second. So the limit goes to that throughput times `target_seconds`. As soon as
    none waits, each call raises it by one.

    A target, not a comparison with what is usual: after minutes of overload, long calls are usual. And throughput, not
    latency: what calls took says how many were in flight when they began, so a limit that follows it is always late.
    """

    def __init__(self, maximum: int, target_seconds: float) -> None:
        self._maximum = maximum
        self._minimum = min(_MINIMUM, maximum)
        self._limit = float(maximum)
        self._target = target_seconds
        self._ends: deque[float] = deque(maxlen=_CALLS + 1)

    @property
    def current(self) -> int:
        """The current limit."""
        return int(self._limit)

    def note(self, now: float, waiting: int) -> None:
        """Record that a call ended at `now`, in seconds of any steady clock, while so many waited for a slot."""
        if not waiting:
            self._ends.clear()
            self._limit = min(self._maximum, self._limit + 1)
            return
        self._ends.append(now)
        calls, seconds = len(self._ends) - 1, now - self._ends[0]
        if calls >= _LEAST_CALLS and seconds > 0:
            wanted = calls / seconds * self._target
            smoothed = self._limit + (wanted - self._limit) * _SMOOTHING
            self._limit = min(self._maximum, max(self._minimum, smoothed))
