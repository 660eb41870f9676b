"""Counts the attempts that gRPC really made at calls to the model server.

gRPC retries below its API (`gateway.backend.channel`): its user sees one call, however often it was tried. Only
channelz counts attempts, for each connection. It is polled, because it forgets closed connections; what such a
connection counted since the last poll is missed.
"""

import asyncio
import importlib

from gateway.observability.backend_metrics import BackendMetrics


async def count_attempts(target: str, interval_seconds: float, metrics: BackendMetrics) -> None:
    """Add the attempts counted on the channel to `target`, HOST:PORT, to the metric every interval, until cancelled."""
    seen: dict[int, int] = {}
    # in a thread and after the start, because the library takes 50 ms to load
    channelz = await asyncio.to_thread(importlib.import_module, "gateway.backend.channelz")
    counts = channelz.ChannelCounts(target)
    while True:
        now: dict[int, int] = counts.calls_started()
        metrics.count_attempts(sum(number - seen.get(each, 0) for each, number in now.items()))
        seen = now
        await asyncio.sleep(interval_seconds)
