"""The result of `graft bench` as a table with what limits it, and as JSON."""

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator

from graft.actions.bench.result import PERCENTILES, BenchResult, MeasuredLoad
from graft.tables import NOT_KNOWN, plain_table, print_line, wide_console
from graft.traffic.measuring import percentile_ms

_LISTED = 5


def print_json(result: BenchResult) -> None:
    """Print everything as JSON."""
    text = json.dumps(result.numbers(), indent=2) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def print_result(result: BenchResult) -> None:
    """Print the table, whose numbers they are, why requests failed, and what limits the numbers."""
    console = wide_console()
    for line in _about(result):
        print_line(console, line)
    console.print(_loads_table(result))
    for line in (*_about_processes(result), *_failures(result), *_limits(result)):
        print_line(console, line)


def _about(result: BenchResult) -> Iterator[str]:
    served = f", model {result.model}" if result.model else ""
    served += f" version {result.version}" if served and result.version else ""
    yield f"{result.url} ({result.protocol}{served})"
    of = f" of {result.images_of}" if result.images_of != result.images else ""
    size = f"{result.mean_bytes / 1e3:.0f} KB on average, one a request"
    yield f"{result.images}{of} image{'s' * (result.images != 1)}, {size}"
    if result.unreadable:
        yield f"{len(result.unreadable)} cannot be read:"
        for name, reason in result.unreadable[:_LISTED]:
            yield f"  {name}: {reason}"
        if len(result.unreadable) > _LISTED:
            yield f"  and {len(result.unreadable) - _LISTED} more"
    yield ""


def _loads_table(result: BenchResult) -> object:
    """Return a column for each load, so that a narrow terminal has room."""
    titles = ["requests", "failed", "images/s", *(f"p{share} ms" for share in PERCENTILES), "max ms"]
    titles += ["CPU ms/image", "peak MB", "others' CPU"] if result.processes else []
    columns = [_column(each, measured=bool(result.processes)) for each in result.loads]
    loads = [each.title for each in result.loads]
    rows = zip([*titles, "own CPU"], *columns, strict=True)
    return plain_table(("", *loads), rows, to_the_right=loads)


def _column(each: MeasuredLoad, *, measured: bool) -> list[str]:
    latencies = [percentile_ms(each.load.latencies, share) for share in (*PERCENTILES, 100)]
    shown = [str(each.requests), str(each.load.failed), _shown(each.load.per_second), *map(_shown, latencies)]
    if measured:
        shown.append(f"{each.cost.cpu_ms:.2f}" if each.cost and each.load.latencies else NOT_KNOWN)
        shown.append(NOT_KNOWN if each.peak_mb is None else f"{each.peak_mb:.0f}")
        shown.append(f"{each.cost.others:.0%}" if each.cost else NOT_KNOWN)
    return [*shown, f"{each.generator_share:.0%}"]


def _shown(value: float) -> str:
    if math.isnan(value):
        return NOT_KNOWN
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def _about_processes(result: BenchResult) -> Iterator[str]:
    yield ""
    if not result.processes:
        yield f"CPU and memory are not measured: {result.no_processes}."
        return
    names = ", ".join(f"{name} ({pid})" for pid, name in result.processes)
    yield f"CPU (user and system time) and memory are those of {names}."
    for each in result.loads:
        if each.cost and each.load.latencies and len(each.cost.cpu) > 1:
            parts = ", ".join(f"{name} {seconds * 1e3:.2f}" for name, seconds in each.cost.cpu.items())
            yield f"  {each.title}: CPU ms/image in {parts}"


def _failures(result: BenchResult) -> Iterator[str]:
    for each in result.loads:
        for failure in each.load.failures.values():
            yield (
                f"{each.title}: {failure.count} of {each.requests} requests failed, {failure.title}; the first, "
                f"{failure.image}: {failure.detail}"
            )


def _limits(result: BenchResult) -> Iterator[str]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in result.loads:
        for warning in each.warnings():
            found[warning].append(each.title)
    for warning, loads in found.items():
        yield f"{'; '.join(loads)}: {warning}"
    if not result.complete:
        yield "It was stopped before the end; the last load is shorter than the others."
