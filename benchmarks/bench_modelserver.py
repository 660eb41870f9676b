"""How much of a graph's speed remains in our model server, with and without batching: `make bench-modelserver`.

MobileNetV2 is served to 1, 8 and 32 clients, and called in a loop in a process of its own, which is the limit. All
take turns, round by round, so that other load on the machine affects each equally.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import IO

import grpc
import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bench_export import LABELS
from benchmarks.load.grpc import Load, predict_bytes, send
from benchmarks.serving.photographs import HEIGHT, WIDTH, read_or_draw
from contract.versions import MANIFEST, WARMUP
from exporter.saved_model.network import make_served_network
from exporter.saved_model.warmup import write_warmup
from exporter.saved_model.writer import save
from exporter.tflite.litert_network import write_litert_network
from tests.places import DATA
from trainer.config import HeadSettings, ModelSettings
from trainer.models.architectures import image_input_of
from trainer.models.base import build_base, load_base_weights
from trainer.models.head import add_head

CLIENTS = (1, 8, 32)
SIZES = (1, 2, 4, 8, 16, 32)
MODEL = "bench"
SHARE_OF_LIMIT = 0.85
LATENCY_RATIO, LATENCY_MS = 1.15, 1.0

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


@dataclass
class Measured:
    """The results of all rounds of one kind of load."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def add(self, load: Load, cpu_seconds: float) -> None:
        """Add a round."""
        self.rates.append(load.per_second)
        self.cpu_ms.append(cpu_seconds / len(load.latencies) * 1e3)
        self.latencies.extend(load.latencies)


@dataclass(frozen=True)
class Server:
    """A model server that serves the model."""

    process: psutil.Process
    port: int

    def call(self, requests: Sequence[bytes], clients: int, seconds: float, measured: Measured) -> None:
        """Send requests for so long."""
        before = self.cpu_seconds()
        load = asyncio.run(send(self.port, requests, clients, seconds))
        measured.add(load, self.cpu_seconds() - before)

    def cpu_seconds(self) -> float:
        """Return the processor time it used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True)
class Limit:
    """The same function called in a loop in another process."""

    orders: IO[str]
    responses: IO[str]

    def run(self, rows: int, seconds: float, measured: Measured) -> None:
        """Call it with so many images at a time."""
        self.orders.write(f"{rows} {seconds}\n")
        self.orders.flush()
        took = json.loads(self.responses.readline())
        measured.rates.append(rows * took["calls"] / took["seconds"])
        measured.cpu_ms.append(took["cpu"] / took["calls"] / rows * 1e3)
        measured.latencies.append(took["median"])


def main() -> None:
    """Write the model, start everything, measure, print the table."""
    options = read_options()
    images = read_or_draw(options.data)
    console.print(
        f"MobileNetV2, alpha {options.alpha}, {options.px} px; JPEGs of {WIDTH}x{HEIGHT}; {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as temporary, contextlib.ExitStack() as stack:
        base_path = Path(temporary) / MODEL
        write_model(base_path / "1", images, options)
        limit = stack.enter_context(started_limit(base_path / "1", images))
        best = best_size(limit, options.seconds)
        flags = {"off": [], "on": ["--enable_batching", *options.batching]}
        servers = {
            mode: stack.enter_context(started_server(base_path, [f"--engine={options.engine}", *given]))
            for mode, given in flags.items()
        }
        requests = [predict_bytes(MODEL, image) for image in images]
        console.print(measure(limit, best, servers, requests, options))


def read_options() -> argparse.Namespace:
    """Read the command line; arguments after `--` are flags of the server that batches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the network (default 1.0)")
    parser.add_argument("--px", type=int, default=224, help="height and width of its input (default 224)")
    parser.add_argument("--weights", type=Path, help="weights of the base, without top; random ones are as fast")
    parser.add_argument("--seconds", type=float, default=4, help="seconds of each load in a round (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="how often all take turns (default 5)")
    default = DATA / "flowers" / "test"
    parser.add_argument("--data", type=Path, default=default, help="CLASS/*.jpg; drawn if it is not there")
    parser.add_argument(
        "--engine", choices=["tensorflow", "litert"], default="tensorflow", help="what runs the network"
    )
    parser.add_argument(
        "batching", nargs="*", default=["--tune_batching"], help="flags of the server that batches (default measured)"
    )
    return parser.parse_args()


def write_model(folder: Path, images: Sequence[bytes], options: argparse.Namespace) -> None:
    """Write a version as `graft export` does, as far as serving needs it."""
    settings = ModelSettings(weights="none", alpha=options.alpha, image_size=options.px)
    base = build_base(settings)
    if options.weights:
        load_base_weights(base, options.weights)
    image_input = image_input_of(settings)
    network = make_served_network(add_head(base, HeadSettings(), len(LABELS)), image_input)
    save(network, LABELS, image_input, folder)
    write_litert_network(folder, network.description)
    write_warmup(folder / WARMUP, MODEL, images[0])
    (folder / MANIFEST).write_text("{}")


@contextlib.contextmanager
def started_limit(folder: Path, images: Sequence[bytes]) -> Generator[Limit]:
    """Run the loop's process until the context ends."""
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as temporary:
        files = [Path(temporary) / f"{number}.jpg" for number in range(len(images))]
        for file, image in zip(files, images, strict=True):
            file.write_bytes(image)
        command = [sys.executable, "-m", "benchmarks.engines.in_process_loop", str(folder), *map(str, files)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Limit(process.stdin, process.stdout)
            process.terminate()


def best_size(limit: Limit, seconds: float) -> int:
    """Return the number of images in a call at which the loop is fastest."""
    rates: dict[int, float] = {}
    for size in SIZES:
        measured = Measured()
        for time_limit in (0.0, seconds / 2):  # the first prepares it
            limit.run(size, time_limit, measured)
        rates[size] = measured.rates[-1]
    console.print("In process: " + ", ".join(f"{size} at a time {rate:.0f}/s" for size, rate in rates.items()))
    return max(rates, key=lambda size: rates[size])


@contextlib.contextmanager
def started_server(base_path: Path, flags: Sequence[str]) -> Generator[Server]:
    """Run a model server until the context ends; the model is loaded."""
    command = [sys.executable, "-m", "graft", "modelserver", "--port=0", f"--model_name={MODEL}"]
    command += [f"--model_base_path={base_path}", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            server = Server(psutil.Process(process.pid), int(process.stdout.readline().rpartition(":")[2]))
            request = predict_bytes(MODEL, b"not an image")
            while True:
                with contextlib.suppress(grpc.RpcError):
                    asyncio.run(send(server.port, [request], 1, 0.01))
                    break
                time.sleep(0.1)
            yield server
        finally:
            process.terminate()


def measure(
    limit: Limit, best: int, servers: dict[str, Server], requests: Sequence[bytes], options: argparse.Namespace
) -> Table:
    """Let all take turns, and return the table."""
    in_process = {rows: Measured() for rows in sorted({1, best})}
    served = {(mode, clients): Measured() for mode in servers for clients in CLIENTS}
    for _ in range(options.rounds):
        for rows, measured in in_process.items():
            limit.run(rows, options.seconds, measured)
        for (mode, clients), measured in served.items():
            servers[mode].call(requests, clients, options.seconds, measured)
    columns = ("what", "images/s", "CPU ms per image", "median ms", "p99 ms", "of the limit", "target")
    table = Table(*columns, box=box.SIMPLE)
    for rows, measured in in_process.items():
        add(table, f"in process, {rows} at a time", measured)
    for (mode, clients), measured in served.items():
        share, wanted = "", ""
        if mode == "on" and clients > 1:
            share = f"{share_of(measured, in_process[best]):.2f}"
            wanted = f">= {SHARE_OF_LIMIT}"
        elif clients == 1:
            bound = LATENCY_RATIO * median(in_process[1].latencies) * 1e3 + LATENCY_MS
            wanted = f"median <= {bound:.1f} ms"
        add(table, f"batching {mode}, {clients} client{'s' * (clients > 1)}", measured, share, wanted)
    return table


def share_of(measured: Measured, limit: Measured) -> float:
    """Return the median share of the limit's rate over the rounds."""
    return median(one / other for one, other in zip(measured.rates, limit.rates, strict=True))


def add(table: Table, what: str, measured: Measured, share: str = "", wanted: str = "") -> None:
    """Add a row."""
    slowest = quantiles(measured.latencies, n=100)[-1] if len(measured.latencies) >= 100 else None
    table.add_row(
        what,
        f"{median(measured.rates):.0f}",
        f"{median(measured.cpu_ms):.1f}",
        f"{median(measured.latencies) * 1e3:.1f}",
        f"{slowest * 1e3:.1f}" if slowest else "",
        share,
        wanted,
    )


if __name__ == "__main__":
    main()
