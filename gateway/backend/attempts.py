"""How often calls were really put on a connection to the model server.

gRPC tries again by itself (`gateway.backend.channel`), below its API: the caller sees one call, however often it was
tried. Only channelz counts attempts, at each connection's end. It is asked again and again, for it forgets a
connection that is gone; what such a one counted since the last look is missed.
"""

import asyncio
import importlib

from gateway.observability.backend_metrics import BackendMetrics


async def count_attempts(target: str, interval_seconds: float, metrics: BackendMetrics) -> None:
    """Add to the metric what was counted on the channel to `target`, HOST:PORT, again and again, until cancelled."""
    seen: dict[int, int] = {}
    # in a thread and after the start, for the library takes a twentieth of a second to load
    channelz = await asyncio.to_thread(importlib.import_module, "gateway.backend.channelz")
    counts = channelz.ChannelCounts(target)
    while True:
        now: dict[int, int] = counts.calls_started()
        metrics.count_attempts(sum(number - seen.get(each, 0) for each, number in now.items()))
        seen = now
        await asyncio.sleep(interval_seconds)
