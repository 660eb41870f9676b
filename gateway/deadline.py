"""The deadline of a request."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time on the monotonic clock, in seconds. `own` is False if the caller set a shorter deadline than ours."""

    at: float
    own: bool = True

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0 if the deadline has passed."""
        return max(0.0, self.at - time.monotonic())
