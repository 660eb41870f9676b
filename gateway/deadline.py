"""By when a request has to be answered."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds. `own` is False where the caller asked for less than we allow."""

    at: float
    own: bool = True

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the moment that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds that are left, 0 if none are."""
        return max(0.0, self.at - time.monotonic())
