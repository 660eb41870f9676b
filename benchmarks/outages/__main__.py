"""Plays outages against real processes and a real Prometheus with the project's rules: `make outages`.

Each outage is played by itself: a model server and gateways are started, good traffic flows, something is broken, and
later repaired. For each, what has to fire has to fire in time with a text that names what is wrong, nothing else may,
and after the repair it has to end. The rules' durations are divided by a factor, those of the gateway and the model
server are not. The table goes into docs/runbook.md. The exit code is 1 if anything does not hold.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.load.prometheus import PrometheusError, check_installed
from benchmarks.outages.clock import ClockError
from benchmarks.outages.playing import Cast, play
from benchmarks.outages.report import RUNBOOK, PageError, Result, outages_table, with_table, write_into_runbook
from benchmarks.outages.scenario import Scenario
from benchmarks.outages.scenarios import SCENARIOS, scenarios_named
from benchmarks.serving.photographs import read_or_draw
from benchmarks.serving.systems import SystemFailedError
from benchmarks.serving.version import PreparationError, Prepared, prepare
from graft.tables import wide_console
from tests.places import DATA

BAD_INPUT, BOUND_BROKEN = 2, 1
_INTERRUPTED, _TERMINATED = 130, 143
_MOST_FACTOR, _MOST_RATE = 60, 200

console = Console(highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Play, print, write; exit with 1 if anything does not hold, with a sentence and 2 if nothing can be played."""
    options = read_options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # or what it started would outlive it
    writes = not options.no_write and len(options.only) == len(SCENARIOS)
    try:
        check_installed()
        if writes:
            with_table(RUNBOOK.read_text(encoding="utf-8"), "")  # before, rather than after, half an hour
        with contextlib.ExitStack() as stack:
            results = play_all(options, stack)
    except (ClockError, PageError, PreparationError, PrometheusError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    wide_console().print(outages_table(results))
    if writes:
        write_into_runbook(results)
        console.print("The table is in docs/runbook.md.")
    broken = [each for each in results if each.faults]
    for each in broken:
        for fault in each.faults:
            console.print(f"{each.scenario.name}: {fault}")
    console.print(f"{len(results) - len(broken)} of {len(results)} outages hold.")
    raise SystemExit(BOUND_BROKEN if broken else 0)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make outages", description=__doc__)
    add = parser.add_argument
    names = ", ".join(each.name for each in SCENARIOS)
    add("--only", type=_scenarios, default=SCENARIOS, help=f"names with commas between; writes no table: {names}")
    add("--no-write", action="store_true", help="print the table, and leave docs/runbook.md as it is")
    add("--factor", type=_factor, default=30.0, help="how much faster the rules' clock runs (1 to 60, default 30)")
    add("--rate", type=_rate, default=10.0, help="good images a second (default 10)")
    add("--folder", type=Path, help="where the model is made, and found the next time (default: removed at the end)")
    add("--models", type=Path, help="a folder of published models to serve, with --name")
    add("--name", default="bench", help="the model in it (default bench)")
    add("--images", type=Path, help="images like those it was evaluated with, or drift is seen (default: of --data)")
    add("--data", type=Path, default=DATA, help="photographs and weights; without them images are drawn")
    return parser.parse_args(arguments)


def _factor(text: str) -> float:
    factor = _number(text)
    if not 1 <= factor <= _MOST_FACTOR:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {_MOST_FACTOR}: scrapes would come too fast")
    return factor


def _rate(text: str) -> float:
    rate = _number(text)
    if not 1 <= rate <= _MOST_RATE:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {_MOST_RATE} images a second")
    return rate


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _scenarios(names: str) -> tuple[Scenario, ...]:
    try:
        return scenarios_named(names)
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no outage {error}") from None


def play_all(options: argparse.Namespace, stack: contextlib.ExitStack) -> list[Result]:
    """Play the chosen scenarios one after another.

    Raises:
        PreparationError, PrometheusError: there is nothing to serve, or no Prometheus.
    """
    cast = _cast(options, stack)
    console.print(
        f"The rules' durations are divided by {options.factor:g}: a minute takes {60 / options.factor:.3g} s. "
        "Times of the gateway and the model server are as they are."
    )
    return [_play_one(each, cast) for each in options.only]


def _cast(options: argparse.Namespace, stack: contextlib.ExitStack) -> Cast:
    folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-outages-")))
    folder.mkdir(parents=True, exist_ok=True)
    if options.models is None:
        console.print("Training and exporting a model (two minutes)")
        prepared = prepare(folder, options.data, small=False)
    else:
        prepared = Prepared(options.models, options.name, folder)
    images = good_images(options.images or options.data / "flowers" / "test", folder / "images")
    return Cast(folder / "outages", prepared.name, prepared.version, images, options.rate, options.factor)


def good_images(folder: Path, drawn: Path) -> list[bytes]:
    """Return the JPEG files in the folders of `folder`, else those that were drawn for the model, else drawn ones."""
    found = sorted(folder.glob("*/*.jpg")) or sorted(drawn.glob("*/*.jpg"))
    return [path.read_bytes() for path in found] or read_or_draw(folder)


def _play_one(scenario: Scenario, cast: Cast) -> Result:
    console.print(f"{scenario.name}: {scenario.what}")
    try:
        played = play(scenario, cast, lambda text: console.print(f"    {text}"))
    except (SystemFailedError, PrometheusError) as error:
        result = Result(scenario, None, cast.factor, f"It could not be played: {error}")
    else:
        result = Result(scenario, played, cast.factor)
    for fault in result.faults:
        console.print(f"    does not hold: {fault}")
    return result


if __name__ == "__main__":
    main()
