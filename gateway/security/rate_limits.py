"""Limits of one key: a token bucket and a number of concurrent requests."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import TooManyRequestsError

_SOON_SECONDS = 1


@dataclass(frozen=True)
class Limits:
    """The limits of a key; None means no limit.

    `rate_per_second` is the long-term rate, and `burst` the number of requests that may arrive at once; by default one
    second's worth, at least one.
    """

    rate_per_second: float | None = None
    burst: int | None = None
    max_in_flight: int | None = None

    @property
    def bucket_size(self) -> float:
        """The most requests that may arrive at once, infinite without a rate."""
        if self.rate_per_second is None:
            return math.inf
        return self.burst or max(1, math.ceil(self.rate_per_second))


class RateLimiter:
    """The rate limiter of one key, in this process: a token bucket and a count of requests in flight.

    The bucket holds `bucket_size` requests and fills at `rate_per_second`.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._in_flight = 0
        self._left = math.inf
        self.change(limits)

    def change(self, limits: Limits) -> None:
        """Change the limits; a larger bucket has to fill first, and requests in flight still count."""
        self.limits = limits
        self._most = math.inf if limits.max_in_flight is None else limits.max_in_flight
        self._rate = limits.rate_per_second
        self._size = limits.bucket_size
        self._left = min(self._left, self._size)
        self._filled = self._clock()

    def take(self) -> None:
        """Count a request in; the caller calls `give_back` after the response.

        Raises:
            TooManyRequestsError: too many are in flight, or they arrive too fast. The request is not counted.
        """
        if self._in_flight >= self._most:
            raise TooManyRequestsError(
                f"This API key has {self._in_flight} requests in progress, which is its limit.", _SOON_SECONDS
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
            raise TooManyRequestsError(f"This API key is limited to {rate:g} requests per second.", wait)
        self._left -= 1


class RateLimiters:
    """The rate limiters of all keys that have limits, by key id; they survive a change of the keys file."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_id: dict[str, RateLimiter] = {}

    def of(self, key_id: str, limits: Limits) -> RateLimiter:
        """Return the rate limiter of a key, with its current limits."""
        rate_limiter = self._by_id.get(key_id)
        if rate_limiter is None:
            rate_limiter = self._by_id[key_id] = RateLimiter(limits, self._clock)
        elif rate_limiter.limits is not limits and rate_limiter.limits != limits:
            rate_limiter.change(limits)
        return rate_limiter
