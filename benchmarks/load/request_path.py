"""Where the time of one image goes between a lone client and the network, from the gateway's own metrics."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import uvloop
from prometheus_client.parser import text_string_to_metric_families
from rich import box
from rich.table import Table

from benchmarks.serving.systems import System
from graft.traffic.clients import closed_loop
from graft.traffic.connection import Endpoint, KeptConnection

_REQUEST, _STAGE = "graft_gateway_request_duration_seconds", "graft_gateway_stage_duration_seconds"
_ROUTE = "/v1/predict"
MODEL_SERVER = "model_server"
STAGES = {
    "receive": "the body arrives",
    "guard": "the image's header is checked",
    "queue": "waiting for a slot",
    MODEL_SERVER: "the call to the model server",
    "label": "scores become labels",
}


@dataclass(frozen=True)
class RequestPath:
    """Mean milliseconds of a request: as the client sees it, as the gateway does, and of each of its stages."""

    client_ms: float
    gateway_ms: float
    stages_ms: Mapping[str, float]


def measure_path(system: System, images: Sequence[bytes], seconds: float) -> RequestPath:
    """Run one client for `seconds`, and return where the time went."""
    before = read_totals(_metrics(system))
    load = uvloop.run(closed_loop(Endpoint(system.port), itertools.cycle(system.requests(images)), 1, seconds))
    after = read_totals(_metrics(system))
    means = {name: _mean_ms(before.get(name, (0.0, 0.0)), totals) for name, totals in after.items()}
    stages = {stage: means.get(stage, 0.0) for stage in STAGES}
    return RequestPath(fmean(load.latencies) * 1e3, means.get(_REQUEST, 0.0), stages)


def read_totals(text: str) -> dict[str, tuple[float, float]]:
    """Return the seconds and the number of all requests for images, and of each of their stages, by its name."""
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name == _STAGE and "stage" in sample.labels:
                name = sample.labels["stage"]
            elif family.name == _REQUEST and sample.labels.get("route") == _ROUTE:
                name = _REQUEST
            else:
                continue
            found[name][sample.name.removeprefix(family.name)] += sample.value  # of each status
    return {name: (values["_sum"], values["_count"]) for name, values in found.items()}


def path_table(path: RequestPath, engine: str, decoding_ms: float | None, network_ms: float | None) -> Table:
    """Return where the time of an image goes, from outside to inside; decoding and network as measured in a loop."""
    table = Table("one client, one image", "ms", "measured by", box=box.SIMPLE)
    metrics = "the gateway's /metrics"
    table.add_row("client: total", f"{path.client_ms:.2f}", "the load generator")
    table.add_row("  sockets and HTTP on both sides", f"{path.client_ms - path.gateway_ms:.2f}", "what is left")
    table.add_row("  gateway", f"{path.gateway_ms:.2f}", metrics)
    for stage, what in STAGES.items():
        table.add_row(f"    {what}", f"{path.stages_ms[stage]:.2f}", metrics)
        if stage == MODEL_SERVER and decoding_ms is not None and network_ms is not None:
            inside = path.stages_ms[stage] - decoding_ms - network_ms
            table.add_row("      decode and resize", f"{decoding_ms:.2f}", f"the {engine} engine in a loop")
            table.add_row("      network", f"{network_ms:.2f}", f"the {engine} engine in a loop")
            table.add_row("      gRPC, batching, messages", f"{inside:.2f}", "what is left")
    rest = path.gateway_ms - sum(path.stages_ms.values())
    table.add_row("    HTTP, JSON, metrics, log", f"{rest:.2f}", "what is left")
    return table


def _mean_ms(before: tuple[float, float], after: tuple[float, float]) -> float:
    seconds, count = after[0] - before[0], after[1] - before[1]
    return seconds / count * 1e3 if count else 0.0


def _metrics(system: System) -> str:
    async def send() -> str:
        connection = KeptConnection(Endpoint(system.port))
        await connection.send(f"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{system.port}\r\n\r\n".encode())
        connection.close()
        return connection.body.decode()

    return asyncio.run(send())
