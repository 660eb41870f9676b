"""A limit on requests in flight that adapts to the model server's latency.

The gradient method of Netflix's concurrency-limits library (Gradient2Limit): while calls take about as long as usual,
the limit grows by its square root, smoothed; when they take longer, it shrinks in proportion.
"""

import math

_LONG_SAMPLES = 600  # the usual latency is an average over about this many calls
_TOLERANCE = 1.5  # how much slower than usual does not count as overload
_SMOOTHING = 0.2
_LEAST_GRADIENT = 0.5
_MINIMUM = 4


class AdaptiveLimit:
    """A limit between 4 and `maximum`, initially a quarter of it."""

    def __init__(self, maximum: int) -> None:
        self._maximum = float(max(_MINIMUM, maximum))
        self._estimate = max(_MINIMUM, maximum / 4)
        self._usual: float | None = None

    @property
    def current(self) -> int:
        """The current limit."""
        return int(self._estimate)

    def note(self, seconds: float, in_flight: int) -> None:
        """Record how long one call took, and how many were in flight, itself included."""
        if self._usual is None:
            self._usual = seconds
        self._usual += (seconds - self._usual) / _LONG_SAMPLES
        if seconds > 0 and self._usual / seconds > 2:  # much faster than before: the average is out of date
            self._usual *= 0.95
        if in_flight < self._estimate / 2:
            return  # with so few in flight, latency does not show whether the limit is right
        gradient = max(_LEAST_GRADIENT, min(1.0, _TOLERANCE * self._usual / seconds)) if seconds > 0 else 1.0
        wanted = self._estimate * gradient + math.sqrt(self._estimate)
        smoothed = self._estimate * (1 - _SMOOTHING) + wanted * _SMOOTHING
        self._estimate = max(_MINIMUM, min(self._maximum, smoothed))
