"""How much one key may ask: a token bucket and a number of requests at once."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import TooManyRequestsError

_SOON_SECONDS = 1


@dataclass(frozen=True)
class Limits:
    """What a key may use; None means without a limit.

    `burst` requests may come at once where `rate_per_second` is the long-term rate; by default as many as come in a
    second, at least one.
    """

    rate_per_second: float | None = None
    burst: int | None = None
    max_in_flight: int | None = None

    @property
    def bucket_size(self) -> float:
        """The most requests that may come at once, infinite where there is no rate."""
        if self.rate_per_second is None:
            return math.inf
        return self.burst or max(1, math.ceil(self.rate_per_second))


class RateLimiter:
    """What one key has left of its limits, in this process: a token bucket and a count of requests in flight.

    The bucket holds `bucket_size` requests and fills at `rate_per_second`.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._in_flight = 0
        self._left = math.inf
        self.change(limits)

    def change(self, limits: Limits) -> None:
        """Go on under other limits; a larger bucket has to fill first, and what is in flight still counts."""
        self.limits = limits
        self._most = math.inf if limits.max_in_flight is None else limits.max_in_flight
        self._rate = limits.rate_per_second
        self._size = limits.bucket_size
        self._left = min(self._left, self._size)
        self._filled = self._clock()

    def take(self) -> None:
        """Count a request in; `give_back` is called when it was answered.

        Raises:
            TooManyRequestsError: there are too many in flight, or they come too fast. Nothing was counted.
        """
        if self._in_flight >= self._most:
            raise TooManyRequestsError(
                f"This API key has {self._in_flight} requests in progress, as many as it may.", _SOON_SECONDS
            )
        if self._rate is not None:
            self._take_from_bucket(self._rate)
        self._in_flight += 1

    def give_back(self) -> None:
        """Count a request out."""
        self._in_flight -= 1

    def _take_from_bucket(self, rate: float) -> None:
        now = self._clock()
        self._left = min(self._size, self._left + (now - self._filled) * rate)
        self._filled = now
        if self._left < 1:
            wait = math.ceil((1 - self._left) / rate)
            raise TooManyRequestsError(f"This API key may send {rate:g} requests a second, and sent more.", wait)
        self._left -= 1


class RateLimiters:
    """The allowances of all keys that have limits, by the id of the key; they outlive a change of the keys file."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_id: dict[str, RateLimiter] = {}

    def of(self, key_id: str, limits: Limits) -> RateLimiter:
        """Return the allowance of a key, under the limits that it has now."""
        rate_limiter = self._by_id.get(key_id)
        if rate_limiter is None:
            rate_limiter = self._by_id[key_id] = RateLimiter(limits, self._clock)
        elif rate_limiter.limits is not limits and rate_limiter.limits != limits:
            rate_limiter.change(limits)
        return rate_limiter
