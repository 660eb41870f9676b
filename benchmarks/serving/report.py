"""What `bench_serving` prints at its end: what was measured, and whether what has to hold does."""

from collections.abc import Sequence
from statistics import median

from rich import box
from rich.console import RenderableType
from rich.table import Table

from benchmarks.serving.bounds import (
    CPU_RATIO,
    LATENCY_RATIO,
    MEMORY_MB,
    MLSERVER_CPU_RATIO,
    MLSERVER_RATE_RATIO,
    NEIGHBOURS_RATIO,
    RATE_RATIO,
    START_SECONDS,
    Bound,
    bounds_table,
)
from benchmarks.serving.peers import mlserver
from benchmarks.serving.phases import Engines, Footprint, Loads, Neighbours
from benchmarks.serving.rounds import Measured, median_ratio
from graft.traffic.clients import lateness

OURS, THEIRS = "graft up", "tutorial"
_COMPARED = (("CPU ms per image", "cpu_ms", (8, 32)), ("images/s", "rate", (8, 32)), ("p50", "p50_ms", (1, 8)))
_QUIET = 0.1
"""Processors that other processes may use before rates and latencies are no longer reliable."""


def loads_table(loads: Loads, footprints: dict[str, Footprint]) -> Table:
    """Return the results of each service under each load."""
    columns = (
        "load",
        "system",
        "images/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "CPU ms per image",
        "resident MB",
        "errors",
    )
    table = Table(*columns, box=box.SIMPLE)
    for (name, load), measured in loads.items():
        table.add_row(
            f"open, {load:.0%} of capacity" if isinstance(load, float) else f"{load} client{'s' * (load > 1)}",
            name,
            f"{measured.rate:.1f}",
            *(f"{measured.percentile_ms(share):.1f}" for share in (50, 90, 99)),
            f"{measured.cpu_ms:.2f}",
            f"{footprints[name].busy_mb:.0f}",
            str(measured.failed),
        )
    return table


def ratios_table(loads: Loads, others: Sequence[str]) -> Table:
    """Return what `graft up` has of what each other service has; medians of the rounds' ratios."""
    columns = [f"{title}, {clients} client{'s' * (clients > 1)}" for title, _, at in _COMPARED for clients in at]
    table = Table("graft up, of", *columns, box=box.SIMPLE)
    for other in others:
        pairs = [(value, clients) for _, value, at in _COMPARED for clients in at]
        ratios = [_ratio((loads[OURS, clients], loads[other, clients]), value) for value, clients in pairs]
        table.add_row(other, *(f"{ratio:.2f}" for ratio in ratios))
    return table


def engines_table(engines: Engines) -> Table:
    """Return how fast each engine is with nothing around it."""
    table = Table(
        "engine in a loop", "at a time", "threads", "images/s", "CPU ms per image", "median ms", box=box.SIMPLE
    )
    for (name, (signature, rows, threads)), called in engines.calls.items():
        if called:
            table.add_row(
                f"{name}, {signature}",
                str(rows),
                str(threads),
                f"{median(each.images_per_second for each in called):.1f}",
                f"{median(each.cpu_seconds for each in called) * 1e3:.2f}",
                f"{median(each.median_seconds for each in called) * 1e3:.1f}",
            )
    return table


def neighbours_table(seen: Neighbours) -> Table:
    """Return the results of seven good clients."""
    table = Table("seven good clients", "p50 ms", "p90 ms", "their images/s", "failed", "p50 ratio", box=box.SIMPLE)
    for what, measured in (
        ("alone", seen.alone),
        ("beside one more good client", seen.one_more),
        ("beside one with junk, once for seven responses", seen.junk_in_step),
        ("beside one with junk, without pause", seen.junk_unpaused),
    ):
        ratio = f"{_neighbours_ratio(measured, seen.one_more):.2f}"
        shown = (f"{measured.percentile_ms(share):.1f}" for share in (50, 90))
        table.add_row(what, *shown, f"{measured.rate:.1f}", str(measured.failed), ratio)
    return table


def footprint_lines(footprints: dict[str, Footprint]) -> list[str]:
    """Return what each service takes to start, and in memory."""
    lines = []
    for name, seen in footprints.items():
        starts = ", ".join(f"{seconds:.1f}" for seconds in seen.starts)
        lines.append(
            f"{name}: seconds to the first response {starts}; {seen.first_mb:.0f} MB, later {seen.busy_mb:.0f} MB"
        )
        if len(seen.busy_mb_by_process) > 1:
            each = ", ".join(f"{process} {mb:.0f}" for process, mb in seen.busy_mb_by_process.items())
            lines.append(f"  MB of each process, with what they share counted for each: {each}")
    return lines


def cost_lines(loads: Loads) -> list[str]:
    """Return where the processor time of `graft up` goes, and what the load generator and other processes took."""
    lines = []
    for (name, load), measured in loads.items():
        if name == OURS and isinstance(load, int):
            each = ", ".join(f"{process} {ms:.2f}" for process, ms in measured.cpu_ms_by_process().items())
            lines.append(
                f"{name}, {load} client{'s' * (load > 1)}: CPU ms per image in {each}; "
                f"the load generator {measured.generator_ms():.2f}"
            )
        elif isinstance(load, float):
            late = median(lateness(each.load) for each in measured.rounds) * 1e3
            lines.append(f"{name}, open at {load:.0%}: requests were sent {late:.2f} ms after they were due (median)")
    others = sorted(each.others for measured in loads.values() for each in measured.rounds)
    busy = f"(median), {others[-1]:.2f} at most"
    lines.append(f"Other processes on this machine took {median(others):.2f} of its processors {busy}")
    if median(others) > _QUIET:
        lines.append("So it was not idle: images/s and latencies favour the service with more threads; CPU does not.")
    return lines


def bounds_of(loads: Loads, neighbours: Neighbours, footprint: Footprint) -> list[Bound]:
    """Return what has to hold, with what was measured."""

    def both(clients: int) -> tuple[Measured, Measured]:
        return loads[OURS, clients], loads[THEIRS, clients]

    cpu = [
        Bound(f"CPU per image, {clients} clients, of the tutorial's", _ratio(both(clients), "cpu_ms"), "<=", CPU_RATIO)
        for clients in (8, 32)
    ]
    if (mlserver.NAME, 8) in loads:
        cpu += [
            Bound(
                f"CPU per image, {clients} clients, of {mlserver.NAME}'s",
                _ratio((loads[OURS, clients], loads[mlserver.NAME, clients]), "cpu_ms"),
                "<=",
                MLSERVER_CPU_RATIO,
            )
            for clients in (8, 32)
        ]
        rate = _ratio((loads[OURS, 32], loads[mlserver.NAME, 32]), "rate")
        cpu.append(Bound(f"images/s, 32 clients, of {mlserver.NAME}'s", rate, ">=", MLSERVER_RATE_RATIO))
    failed = sum(each.failed for each in (neighbours.junk_in_step, neighbours.junk_unpaused))
    return [
        *cpu,
        Bound("images/s, 32 clients, of the tutorial's", _ratio(both(32), "rate"), ">=", RATE_RATIO),
        Bound("median latency, 1 client, of the tutorial's", _ratio(both(1), "p50_ms"), "<=", LATENCY_RATIO),
        Bound("requests of seven good clients that failed beside junk", failed, "<=", 0),
        *(
            Bound(f"their p50 beside junk {how}, of that beside a good client", ratio, "<=", NEIGHBOURS_RATIO)
            for how, ratio in (
                ("in step", _neighbours_ratio(neighbours.junk_in_step, neighbours.one_more)),
                ("without pause", _neighbours_ratio(neighbours.junk_unpaused, neighbours.one_more)),
            )
        ),
        Bound("memory of graft up", footprint.busy_mb, "<=", MEMORY_MB, "MB"),
        Bound("graft up, start to first response", median(footprint.starts), "<=", START_SECONDS, "s"),
    ]


def report(
    loads: Loads, engines: Engines, neighbours: Neighbours, footprints: dict[str, Footprint]
) -> Sequence[RenderableType]:
    """Return all that is printed at the end, the bounds last."""
    junk = ", ".join(f"{status or 'lost'} {count}" for status, count in sorted(neighbours.junk.statuses.items()))
    return [
        loads_table(loads, footprints),
        ratios_table(loads, [name for name in footprints if name != OURS]),
        *cost_lines(loads),
        *engines.missing,
        engines_table(engines),
        neighbours_table(neighbours),
        f"Statuses for junk: {junk}",
        *footprint_lines(footprints),
        bounds_table(bounds_of(loads, neighbours, footprints[OURS])),
    ]


def _ratio(pair: tuple[Measured, Measured], value: str) -> float:
    return median_ratio(*pair, lambda each: float(getattr(each, value)))


def _neighbours_ratio(measured: Measured, beside_a_good_one: Measured) -> float:
    return median_ratio(measured, beside_a_good_one, lambda each: each.p50_ms)
