"""Our quicker counters and histograms show what the library's own do."""

import math

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from gateway.observability.fast_metrics import QuickCounter, QuickHistogram

BUCKETS = (0.1, 0.5, 1.0)
AMOUNTS = (0.0, 0.1, 0.10001, 0.5, 0.7, 1.0, 1.5, 1e9, math.inf)
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c"}


def shown(counter: type[Counter], histogram: type[Histogram]) -> list[str]:
    """Return what is shown of two metrics after the same was added, without the moments of exemplars."""
    registry = CollectorRegistry()
    counted = counter("requests", "Counted.", ["kind"], registry=registry)
    timed = histogram("seconds", "Timed.", ["kind"], registry=registry, buckets=BUCKETS)
    alone = histogram("bytes", "Alone.", registry=registry, buckets=BUCKETS)
    for amount in AMOUNTS:
        counted.labels("a").inc()
        counted.labels("b").inc(3)
        timed.labels("a").observe(amount)
        alone.observe(amount)
    timed.labels("b").observe(0.3, TRACE)
    timed.labels("b").observe(0.4, None)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    lines = text.decode().splitlines()
    return [line.rpartition(" ")[0] if "trace_id" in line else line for line in lines if "_created" not in line]


def test_they_show_the_same() -> None:
    """Counts, sums, buckets at and between their bounds, and exemplars are the library's."""
    assert any("trace_id" in line for line in shown(QuickCounter, QuickHistogram))
    assert shown(QuickCounter, QuickHistogram) == shown(Counter, Histogram)
