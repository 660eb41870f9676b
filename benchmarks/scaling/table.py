"""How many gateways and model servers a rate needs, the latency then, and what it costs: `make bench-scaling`.

What one process can do is measured (`make bench-gateway`, `make bench-modelserver`) and given as arguments; the rest
is computed, see `benchmarks.scaling.queueing`. Nothing is started.
"""

import argparse
import math
import sys
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.scaling.queueing import BatchServer, OverloadedError, Queue, Replied

RATES = (10, 100, 1_000, 10_000)
LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SLOWEST_SHARE = 0.99
SECONDS_OF_AN_HOUR = 3600


@dataclass(frozen=True)
class Measured:
    """What one process of each kind does. Times in seconds, memory in GB."""

    gateway_cpu: float
    gateway_memory: float
    server: BatchServer
    server_cores: int
    server_memory: float


@dataclass(frozen=True)
class Plan:
    """So many processes for a rate, and how requests fare."""

    rate: float
    gateways: int
    servers: int
    gateway: Queue
    replied: Replied
    measured: Measured

    @property
    def cores(self) -> int:
        """Cores to pay for: one for each gateway, which is one process, and those of the model servers."""
        return self.gateways + self.servers * self.measured.server_cores

    @property
    def memory(self) -> float:
        """GB that all processes hold."""
        return self.gateways * self.measured.gateway_memory + self.servers * self.measured.server_memory

    @property
    def mean(self) -> float:
        """The mean time of a request, in seconds."""
        return self.gateway.mean_wait + self.gateway.service + self.replied.mean

    @property
    def slowest(self) -> float:
        """A time that 99 % of the requests do not exceed; at most, for the slowest of both parts seldom meet."""
        wait = self.gateway.wait_quantile(SLOWEST_SHARE)
        return wait + self.gateway.service + self.replied.quantile(SLOWEST_SHARE)

    @property
    def in_flight(self) -> float:
        """Requests of one gateway that are before a model server, on average (Little)."""
        return self.rate / self.gateways * self.replied.mean

    @property
    def core_hours_per_million(self) -> float:
        """Core-hours that a million predictions take, spare processes included."""
        return self.cores * 1e6 / (self.rate * SECONDS_OF_AN_HOUR)


def plan(rate: float, measured: Measured, load: float, spare: int) -> Plan:
    """Return the fewest processes whose load stays within `load` after `spare` of each kind have failed.

    Arrivals at each process are taken as Poisson, as if requests were distributed at random. Round robin is a little
    better than that.
    """
    gateways = math.ceil(rate * measured.gateway_cpu / load) + spare
    servers = math.ceil(rate / (measured.server.capacity * load)) + spare
    queue = Queue(rate / gateways, 1, measured.gateway_cpu)
    return Plan(rate, gateways, servers, queue, measured.server.respond(rate / servers), measured)


def main() -> None:
    """Compute and print both tables."""
    options = read_options()
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    measured = measured_by(options)
    console.print(
        f"A gateway: {options.gateway_cpu_ms:g} ms of CPU a request. A model server on {options.server_cores} cores: "
        f"{options.alone_ms:g} ms for one image,\n{options.batch_ms:g} ms for {options.batch}, so at most "
        f"{measured.server.capacity:.0f} images/s. At most {options.load:.0%} busy with {options.spare} less of each."
    )
    console.print(load_table(measured.server))
    console.print(plan_table(measured, options))


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--gateway-cpu-ms", type=float, default=1.4, help="CPU of a request in the gateway")
    add("--gateway-mb", type=float, default=91, help="resident memory of a gateway after many requests")
    add("--server-cores", type=int, default=2, help="cores of a model server")
    add("--server-mb", type=float, default=1280, help="resident memory of a model server")
    add("--alone-ms", type=float, default=28, help="its time for one image")
    add("--batch", type=int, default=8, help="images in a batch at most")
    add("--batch-ms", type=float, default=111, help="its time for that many")
    add("--load", type=float, default=0.6, help="the share of its capacity that a process should use")
    add("--spare", type=int, default=1, help="processes of each kind that may fail")
    add("--rates", type=float, nargs="+", default=RATES, help="requests a second, of one image each")
    add("--price-per-core-hour", type=float, help="what a core costs for an hour, in any currency; none is assumed")
    options = parser.parse_args(arguments)
    if not 0 < options.load < 1:
        parser.error(f"--load is {options.load}; it is a share between 0 and 1")
    if options.batch < 2 or not 0 < options.alone_ms < options.batch_ms <= options.batch * options.alone_ms:
        parser.error("--batch-ms must be more than --alone-ms, and at most --batch times as much")
    return options


def measured_by(options: argparse.Namespace) -> Measured:
    """Return what was measured; the time of a batch is a straight line through those of one image and a full one."""
    each = (options.batch_ms - options.alone_ms) / (options.batch - 1)
    server = BatchServer((options.alone_ms - each) / 1e3, each / 1e3, options.batch)
    return Measured(
        options.gateway_cpu_ms / 1e3, options.gateway_mb / 1e3, server, options.server_cores, options.server_mb / 1e3
    )


def load_table(server: BatchServer) -> Table:
    """Return one model server's latency as its load grows, with batches and, for comparison, one image at a time."""
    alone = server.time_of(1)
    table = Table(
        "of capacity", "images/s", "in a batch", "mean ms", "p99 ms", "mean ms, one at a time", box=box.SIMPLE
    )
    for load in LOADS:
        rate = load * server.capacity
        replied = server.respond(rate)
        try:
            single = f"{(Queue(rate, 1, alone, variation=0).mean_wait + alone) * 1e3:.0f}"
        except OverloadedError:
            single = "too much"
        table.add_row(
            f"{load:.0%}",
            f"{rate:.0f}",
            f"{replied.mean_batch:.1f}",
            f"{replied.mean * 1e3:.0f}",
            f"{replied.quantile(SLOWEST_SHARE) * 1e3:.0f}",
            single,
        )
    return table


def plan_table(measured: Measured, options: argparse.Namespace) -> Table:
    """Return what each rate needs."""
    columns = ["requests/s", "gateways", "model servers", "cores", "GB", "mean ms", "p99 ms, at most"]
    columns += ["in flight per gateway", "core-hours per million"]
    if options.price_per_core_hour is not None:
        columns.append("price per million")
    table = Table(*columns, box=box.SIMPLE)
    for rate in options.rates:
        found = plan(rate, measured, options.load, options.spare)
        cells = [f"{rate:,.0f}", f"{found.gateways}", f"{found.servers}", f"{found.cores:,}", f"{found.memory:.1f}"]
        cells += [f"{found.mean * 1e3:.0f}", f"{found.slowest * 1e3:.0f}", f"{found.in_flight:.1f}"]
        cells.append(f"{found.core_hours_per_million:.1f}")
        if options.price_per_core_hour is not None:
            cells.append(f"{found.core_hours_per_million * options.price_per_core_hour:.2f}")
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()
