"""What the gateway costs: `make bench-gateway`.

A model server that responds at once is behind the gateway and behind a FastAPI route that only forwards. Both get
requests in turns, round by round, with a JPEG of 30 KB, so that other load on the machine affects both equally.
"""

import argparse
import asyncio
import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from statistics import median

import grpc.aio
import psutil
import uvloop
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.load.http import request_bytes, send
from benchmarks.load.instant_model_server import SLOW
from contract import serving_messages as messages
from gateway.backend.model_client import fill_spec
from gateway.predict.image_guard import check_image
from gateway.predict.images_request import ImagesRequest

GUARD_CALLS, GUARD_MICROSECONDS = 2000, 100
CONNECTIONS, MANY_CONNECTIONS = 16, 64
CPU_MICROSECONDS, CPU_RATIO, ADDED_MS, SHED_MS = 350, 1.6, 1.0, 5
START_SECONDS, IDLE_MB, BUSY_MB, WORKERS_RATIO = 1.5, 120, 250, 1.6

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Service:
    """One process that listens on a port of its own."""

    process: psutil.Process
    port: int

    def cpu_seconds(self) -> float:
        """Return the processor time it and its children used."""
        times = [each.cpu_times() for each in (self.process, *self.process.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def resident_mb(self) -> float:
        """Return its resident memory."""
        return float(self.process.memory_info().rss) / 1e6


def main() -> None:
    """Start everything, measure, print the table."""
    options = read_options()
    image = draw_image()
    console.print(f"A JPEG of {len(image) / 1000:.0f} KB; {os.cpu_count()} cores")
    table = Table(box=box.SIMPLE)
    for column in ("what", "gateway", "beside it", "ratio", "wanted"):
        table.add_column(column)
    time_guard(table)
    with started("benchmarks.load.instant_model_server") as model_server:
        address = f"127.0.0.1:{model_server.port}"
        with (
            started("benchmarks.load.plain_forwarder", address) as forwarder,
            started_gateway(address) as (gateway, seconds),
        ):
            table.add_row("start to first 200 on /livez", f"{seconds:.2f} s", "", "", f"<= {START_SECONDS} s")
            table.add_row("resident, idle", f"{gateway.resident_mb():.0f} MB", "", "", f"<= {IDLE_MB} MB")
            uvloop.run(compare_cpu(table, gateway, forwarder, image, options.rounds, options.round_requests))
            uvloop.run(compare_latency(table, gateway, forwarder, address, image, options.rounds))
            uvloop.run(grow(table, gateway, image, options.requests))
        with started_gateway(address, "--set", "max_in_flight=1", "--set", "max_queued=0") as (full, _):
            uvloop.run(time_shedding(table, full, image))
        with started_gateway(address) as (one, _), started_gateway(address, "--workers", "2") as (two, _):
            uvloop.run(compare_workers(table, one, two, image, options.rounds, options.round_requests))
    console.print(table)


def read_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each way that is compared")
    parser.add_argument("--round-requests", type=int, default=2000, help="requests in a round")
    parser.add_argument("--requests", type=int, default=200_000, help="requests before memory is measured again")
    return parser.parse_args()


def draw_image() -> bytes:
    """Return a JPEG of about 30 KB."""
    noise = Image.effect_noise((250, 188), 60).convert("RGB")
    stream = io.BytesIO()
    noise.save(stream, "JPEG", quality=88)
    return stream.getvalue()


def time_guard(table: Table) -> None:
    """Add the processor time of checking one image's header and end, for the slowest format."""
    slowest, kind = 0.0, ""
    for name in ("JPEG", "PNG", "BMP", "WEBP"):
        stream = io.BytesIO()
        Image.effect_noise((500, 375), 60).convert("RGB").save(stream, name)
        began = time.process_time()
        for _ in range(GUARD_CALLS):
            check_image(stream.getvalue(), ("jpeg", "png", "bmp", "webp"), 50_000_000)
        slowest, kind = max((slowest, kind), ((time.process_time() - began) / GUARD_CALLS * 1e6, name))
    table.add_row(
        "checking one image, slowest format", f"{slowest:.0f} us, {kind}", "", "", f"< {GUARD_MICROSECONDS} us"
    )


@contextlib.contextmanager
def started(module: str, *arguments: str) -> Generator[Service]:
    """Run a module that prints its port until the context ends."""
    with subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Service(psutil.Process(process.pid), int(process.stdout.readline()))
        finally:
            process.terminate()


@contextlib.contextmanager
def started_gateway(model_server: str, *options: str) -> Generator[tuple[Service, float]]:
    """Run a gateway until the context ends; also return the seconds until it lived."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--model-server", model_server]
    command += ["--port", "0", *options]
    # its log, a line for each request, is written as usual, but discarded
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            uvloop.run(wait_for(port, "/livez"))
            seconds = time.perf_counter() - began
            uvloop.run(wait_for(port, "/readyz"))
            yield Service(psutil.Process(process.pid), port), seconds
        finally:
            process.terminate()


async def wait_for(port: int, path: str) -> None:
    """Return once `GET path` returns 200."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n")
            writer.close()
            if b" 200 " in head:
                return
        await asyncio.sleep(0.005)


async def compare_cpu(
    table: Table, gateway: Service, forwarder: Service, image: bytes, rounds: int, requests: int
) -> None:
    """Add the processor time of a request, beside that of the plain forwarder."""
    spent: dict[int, list[float]] = {gateway.port: [], forwarder.port: []}
    for number in range(rounds + 1):
        for service in (gateway, forwarder):
            before = service.cpu_seconds()
            load = await send(service.port, request_bytes("/v1/predict", image, service.port), CONNECTIONS, requests)
            assert set(load.statuses) == {200}, load.statuses
            if number:  # the first warms up
                spent[service.port].append((service.cpu_seconds() - before) / requests * 1e6)
    ours, plain = median(spent[gateway.port]), median(spent[forwarder.port])
    ratio = median(one / other for one, other in zip(spent[gateway.port], spent[forwarder.port], strict=True))
    wanted = f"<= {CPU_MICROSECONDS} us, <= {CPU_RATIO}"
    table.add_row(
        f"CPU of a request, {CONNECTIONS} connections",
        f"{ours:.0f} us",
        f"{plain:.0f} us, plain forwarder",
        f"{ratio:.2f}",
        wanted,
    )


async def compare_latency(
    table: Table, gateway: Service, forwarder: Service, address: str, image: bytes, rounds: int
) -> None:
    """Add the median latency at one connection, beside calling the model server directly and through the forwarder."""
    ours: list[float] = []
    plain: list[float] = []
    direct: list[float] = []
    request = ImagesRequest([image])
    fill_spec(request.model_spec, "flowers", None)
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(
            f"/{messages.PREDICTION_SERVICE}/Predict",
            ImagesRequest.SerializeToString,
            messages.PredictResponse.FromString,
        )
        for _ in range(rounds):
            for service, latencies in ((gateway, ours), (forwarder, plain)):
                http = request_bytes("/v1/predict", image, service.port)
                latencies.extend((await send(service.port, http, 1, 300)).latencies)
            for _ in range(300):
                began = time.perf_counter()
                await call(request)
                direct.append(time.perf_counter() - began)
    alone, through = median(direct) * 1e3, median(plain) * 1e3
    beside = f"{alone:.2f} ms, gRPC directly; {through:.2f} ms, plain forwarder"
    total = median(ours) * 1e3
    table.add_row(
        "median latency, 1 connection", f"{total:.2f} ms", beside, f"+{total - alone:.2f} ms", f"<= +{ADDED_MS} ms"
    )


async def time_shedding(table: Table, full: Service, image: bytes) -> None:
    """Add how fast a request is shed while the only slot is taken and the queue has length 0."""
    holding = asyncio.create_task(send(full.port, request_bytes("/v1/predict", image + SLOW, full.port), 1, 1))
    await asyncio.sleep(0.5)
    shed = await send(full.port, request_bytes("/v1/predict", image, full.port), 1, 300)
    assert set(shed.statuses) == {503}, shed.statuses
    await holding
    took = f"{median(shed.latencies) * 1e3:.2f} ms"
    table.add_row("rejection when full, median", took, "", "", f"<= {SHED_MS} ms")


async def grow(table: Table, gateway: Service, image: bytes, requests: int) -> None:
    """Add the memory after many requests."""
    if requests:
        request = request_bytes("/v1/predict", image, gateway.port)
        load = await send(gateway.port, request, MANY_CONNECTIONS, requests)
        what = f"resident after {requests} requests, {MANY_CONNECTIONS} connections"
        table.add_row(what, f"{gateway.resident_mb():.0f} MB", f"{load.statuses}", "", f"<= {BUSY_MB} MB")


async def compare_workers(table: Table, one: Service, two: Service, image: bytes, rounds: int, requests: int) -> None:
    """Add the throughput of two workers beside one."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, service in ((1, one), (2, two)):
            load = await send(service.port, request_bytes("/v1/predict", image, service.port), CONNECTIONS, requests)
            rates[workers].append(requests / load.seconds)
    ratio = median(both / alone for both, alone in zip(rates[2], rates[1], strict=True))
    table.add_row(
        "requests a second, 2 workers",
        f"{median(rates[2]):.0f}",
        f"{median(rates[1]):.0f}, 1 worker",
        f"{ratio:.2f}",
        f">= {WORKERS_RATIO}, free cores",
    )


if __name__ == "__main__":
    main()
