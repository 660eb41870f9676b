"""Whether good responses stay within the latency objective when far too many requests come: `make bench-overload`.

Starts `graft up`, measures what it can serve (a closed loop of 32 clients), then lets requests arrive at random three
times as fast, as those of many independent callers do, and at last sends with 300 callers that each wait for their
response, and for what `Retry-After` says after a 503. Times count from when a request was due. The exit code is 1 if
fewer than 99 % of the good responses came within 0.6 s, or if less than 70 % of the capacity was served.
"""

import argparse
import asyncio
import contextlib
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.serving.photographs import read_or_draw
from benchmarks.serving.systems import SystemFailedError, started_graft
from benchmarks.serving.version import PreparationError, prepare
from graft.traffic.clients import OK, Load, closed_loop, open_loop, poisson_arrivals
from graft.traffic.measuring import percentile_ms
from tests.places import DATA

OBJECTIVE_SECONDS = 0.6
"""Of deploy/prometheus/rules/objectives.yml."""
WITHIN_OBJECTIVE = 0.99
SERVED_SHARE = 0.7
BAD_INPUT, BOUND_BROKEN = 2, 1
_TIMES, _CALLERS, _AT_CAPACITY = 3, 300, 32
_CONNECTIONS = 1000
_SEED = 1

console = Console(highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and exit with 1 if a bound is broken, or with one sentence and 2 if nothing can be measured."""
    options = read_options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            loads = measure(options, stack)
    except (PreparationError, SystemFailedError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    capacity = loads.pop("capacity")
    console.print(table({f"{_AT_CAPACITY} clients": capacity, **loads}))
    broken = [fault for name, load in loads.items() for fault in faults(name, load, capacity.per_second)]
    for fault in broken:
        console.print(fault)
    raise SystemExit(BOUND_BROKEN if broken else 0)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-overload", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=20.0, help="how long each load lasts (default 20)")
    add("--folder", type=Path, help="where the model is made, and found the next time (default: removed at the end)")
    add("--models", type=Path, help="a folder of published models to serve, with --name")
    add("--name", default="bench", help="the model in it (default bench)")
    add("--data", type=Path, default=DATA, help="photographs and weights; without them images are drawn")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, Load]:
    """Start `graft up`, and return the results of each load; `capacity` is the first."""
    folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-bench-")))
    folder.mkdir(parents=True, exist_ok=True)
    images = read_or_draw(options.data / "flowers" / "test")
    if options.models is None:
        console.print("Training and exporting a model (two minutes)")
    models = options.models or prepare(folder, options.data, small=False).models
    system = stack.enter_context(started_graft(models, options.name, [], images[0], folder / "graft-up.log"))
    requests = itertools.cycle(system.requests(images))
    endpoint = system.endpoint
    asyncio.run(closed_loop(endpoint, requests, _AT_CAPACITY, options.seconds / 4))
    capacity = asyncio.run(closed_loop(endpoint, requests, _AT_CAPACITY, options.seconds / 2))
    due = poisson_arrivals(_TIMES * capacity.per_second, options.seconds, _SEED)
    return {
        "capacity": capacity,
        f"{_TIMES} times as many": asyncio.run(open_loop(endpoint, requests, due, _CONNECTIONS)),
        f"{_CALLERS} callers": asyncio.run(
            closed_loop(endpoint, requests, _CALLERS, options.seconds, heed_retry_after=True)
        ),
    }


def within_objective(load: Load) -> float:
    """Return the share of the good responses that came in time."""
    return sum(latency <= OBJECTIVE_SECONDS for latency in load.latencies) / max(len(load.latencies), 1)


def faults(name: str, load: Load, capacity: float) -> list[str]:
    """Return a sentence for each bound that a load broke."""
    found = []
    if within_objective(load) < WITHIN_OBJECTIVE:
        found.append(f"{name}: {within_objective(load):.1%} of the good responses within {OBJECTIVE_SECONDS} s.")
    if load.per_second < SERVED_SHARE * capacity:
        found.append(f"{name}: {load.per_second / capacity:.0%} of the capacity was served.")
    return found


def table(loads: dict[str, Load]) -> Table:
    """Return a table with a row for each load."""
    columns = ("load", "good a second", "p50 ms", "p99 ms", f"within {OBJECTIVE_SECONDS} s", "503", "other")
    made = Table(*columns, box=box.SIMPLE)
    for name, load in loads.items():
        shed = load.statuses[503]
        made.add_row(
            name,
            f"{load.per_second:.0f}",
            f"{percentile_ms(load.latencies, 50):.0f}",
            f"{percentile_ms(load.latencies, 99):.0f}",
            f"{within_objective(load):.1%}",
            f"{shed / load.statuses.total():.0%}",
            str(load.statuses.total() - shed - load.statuses[OK]),
        )
    return made


if __name__ == "__main__":
    main()
