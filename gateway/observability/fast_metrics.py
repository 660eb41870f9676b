"""Counters and histograms of prometheus-client that cost half as much to add to.

The library checks at each addition that a series is one, and goes through a histogram's buckets one by one: four
microseconds, ten times in each request. The values, and so whatever several processes share, are the library's own.
"""

import time
from bisect import bisect_left
from collections.abc import Mapping

from prometheus_client import Counter, Histogram
from prometheus_client.samples import Exemplar


class QuickCounter(Counter):
    """A counter that trusts who adds to it: never less than 0, and to a series, not to the metric of many."""

    def inc(self, amount: float = 1, exemplar: Mapping[str, str] | None = None) -> None:
        """Add `amount`; `exemplar` is passed over."""
        self._value.inc(amount)


class QuickHistogram(Histogram):
    """A histogram that trusts who observes: a number, and in a series, not in the metric of many."""

    def observe(self, amount: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count `amount` in its bucket; `exemplar` is the trace that it belongs to, if that is kept."""
        bucket = self._buckets[bisect_left(self._upper_bounds, amount)]
        self._sum.inc(amount)
        bucket.inc(1)
        if exemplar:
            bucket.set_exemplar(Exemplar(dict(exemplar), amount, time.time()))
