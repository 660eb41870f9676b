"""What version swaps cost concurrent requests, and whether they leak memory: `make bench-swaps`.

Requests for MobileNetV2 are sent at a steady rate, even when responses are slow, while each version replaces the one
before. Latencies count from when a request was due.
"""

import argparse
import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import grpc
import grpc.aio
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bench_modelserver import MODEL, Server, started_server, write_model
from benchmarks.load.grpc import predict_bytes
from benchmarks.serving.photographs import read_or_draw
from contract import serving_messages as messages

FIRST = 10
"""The number of swaps after which memory should no longer grow."""
P99_RATIO, MEMORY_RATIO = 3.0, 1.1
_AVAILABLE = messages.VersionState.Value("AVAILABLE")

console = Console(highlight=False, soft_wrap=True)


@dataclass
class Seen:
    """Results of the steady load: when each request was due and how long it took; when swaps were under way."""

    responses: list[tuple[float, float]] = field(default_factory=list)
    swaps: list[tuple[float, float]] = field(default_factory=list)
    memory: dict[int, int] = field(default_factory=dict)
    """Resident bytes of the server after so many swaps."""

    def latencies(self, *, during: bool) -> list[float]:
        """Return the latencies, in seconds, of the requests that met a swap, or of those before the first."""
        if not during:
            return [took for due, took in self.responses if due + took < self.swaps[0][0]]
        return [
            took
            for due, took in self.responses
            if any(due < ended and began < due + took for began, ended in self.swaps)
        ]


def main() -> None:
    """Write the model, start the server, swap under load, print the table."""
    options = read_options()
    images = read_or_draw(options.data)
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as temporary:
        base_path = Path(temporary) / MODEL
        write_model(base_path / "1", images, options)
        flags = ["--file_system_poll_wait_seconds=0.2", f"--engine={options.engine}", *options.flags]
        with started_server(base_path, flags) as server:
            requests = [predict_bytes(MODEL, image) for image in images]
            seen = asyncio.run(swap_under_load(server, base_path, requests, options))
    console.print(table(seen))


def read_options() -> argparse.Namespace:
    """Read the command line; arguments after `--` are flags of the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the network (default 1.0)")
    parser.add_argument("--px", type=int, default=224, help="height and width of its input (default 224)")
    parser.add_argument("--swaps", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--rate", type=float, default=10, help="requests a second (default 10)")
    parser.add_argument("--seconds", type=float, default=20, help="seconds of load before the first (default 20)")
    parser.add_argument("--data", type=Path, default=Path("none"), help="CLASS/*.jpg; drawn if it is not there")
    parser.add_argument(
        "--engine", choices=["tensorflow", "litert"], default="tensorflow", help="what runs the network"
    )
    parser.add_argument("flags", nargs="*", help="flags of the server")
    parser.set_defaults(weights=None)
    return parser.parse_args()


async def swap_under_load(
    server: Server, base_path: Path, requests: Sequence[bytes], options: argparse.Namespace
) -> Seen:
    """Send requests steadily, before and while versions replace each other."""
    seen = Seen()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        await served(channel, 1)
        await call_steadily(channel, requests, options.rate, 2.0)  # the first responses are slower
        calling = asyncio.create_task(call_steadily(channel, requests, options.rate, None, seen))
        await asyncio.sleep(options.seconds)
        for count in range(1, options.swaps + 1):
            began = time.perf_counter()
            await swap(channel, base_path, count)
            seen.swaps.append((began, time.perf_counter()))
            if count in {FIRST, options.swaps}:
                seen.memory[count] = server.process.memory_info().rss
        calling.cancel()
        await asyncio.wait({calling})
    return seen


async def call_steadily(
    channel: grpc.aio.Channel,
    requests: Sequence[bytes],
    rate: float,
    seconds: float | None,
    seen: Seen | None = None,
) -> None:
    """Send a request every 1/`rate` seconds, for so long or until cancelled.

    Raises:
        grpc.RpcError: one was refused.
    """
    call = channel.unary_unary(f"/{messages.PREDICTION_SERVICE}/Predict", bytes, bytes)
    due = began = time.perf_counter()

    async def send(request: bytes, due: float) -> None:
        await call(request)
        if seen is not None:
            seen.responses.append((due, time.perf_counter() - due))

    async with asyncio.TaskGroup() as group:
        for request in itertools.cycle(requests):
            if seconds is not None and due > began + seconds:
                return
            group.create_task(send(request, due))
            due += 1 / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))


async def swap(channel: grpc.aio.Channel, base_path: Path, old: int) -> None:
    """Let the version after `old` appear, wait until it is served, and remove `old`."""
    new = base_path / str(old + 1)
    staged = base_path / ".staged"
    await asyncio.to_thread(shutil.copytree, base_path / str(old), staged)
    staged.rename(new)
    await served(channel, old + 1)
    await asyncio.to_thread(shutil.rmtree, base_path / str(old))


async def served(channel: grpc.aio.Channel, version: int) -> None:
    """Wait until a version is AVAILABLE."""
    status = channel.unary_unary(f"/{messages.MODEL_SERVICE}/GetModelStatus", bytes, bytes)
    request = messages.GetModelStatusRequest(model_spec={"name": MODEL}).SerializeToString()
    while True:
        states = messages.GetModelStatusResponse.FromString(await status(request)).model_version_status
        if any(seen.version == version and seen.state == _AVAILABLE for seen in states):
            return
        await asyncio.sleep(0.05)


def table(seen: Seen) -> Table:
    """Return what was measured and its targets."""
    before, during = seen.latencies(during=False), seen.latencies(during=True)
    rows = Table("what", "median ms", "p99 ms", "target", box=box.SIMPLE)
    bound = P99_RATIO * p99(before) * 1e3
    rows.add_row(f"before, {len(before)} requests", f"{median(before) * 1e3:.1f}", f"{p99(before) * 1e3:.1f}", "")
    rows.add_row(
        f"during {len(seen.swaps)} swaps, {len(during)} requests",
        f"{median(during) * 1e3:.1f}",
        f"{p99(during) * 1e3:.1f}",
        f"p99 < {bound:.1f}",
    )
    rows.add_row("a swap takes", f"{median(ended - began for began, ended in seen.swaps) * 1e3:.0f}", "", "")
    after = list(seen.memory.items())
    for count, resident in after:
        wanted = f"<= {MEMORY_RATIO * after[0][1] / 2**20:.0f}" if count != FIRST else ""
        rows.add_row(f"resident after {count} swaps: {resident / 2**20:.0f} MiB", "", "", wanted)
    return rows


def p99(latencies: Sequence[float]) -> float:
    """Return the time within which 99 of 100 requests completed."""
    return quantiles(latencies, n=100)[-1]


if __name__ == "__main__":
    main()
