"""Attacks a running service with what one caller can send, beside seven good ones: `make attack`.

Each attack is sent once with nobody beside it, which shows what it costs in processor time and memory; then again and
again beside seven callers with good images, whose 99th percentile is compared with what it is alone. The exit code is 1
if anything costs more than it may.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.attack.attack import Attack, Send
from benchmarks.attack.corpus import corpus
from benchmarks.attack.endurance import GROWTH, SETTLED_SHARE, endure
from benchmarks.attack.exchange import Target
from benchmarks.attack.measuring import Outcome, Watch, measure_beside, measure_cost, measure_idle, spread
from benchmarks.attack.neighbours import Neighbours
from benchmarks.attack.report import Noise, attack_table, faults, slows_others
from benchmarks.attack.service import find_target
from benchmarks.serving.photographs import other_sizes, read_or_draw
from benchmarks.serving.systems import SystemFailedError
from benchmarks.serving.version import PreparationError
from graft.traffic.clients import Load
from tests.places import DATA

BAD_INPUT, BOUND_BROKEN = 2, 1
_INTERRUPTED, _TERMINATED = 130, 143
_ALONE_EVERY = 10
_SHORT_PAUSE_SECONDS = 0.05
_MORE_ROUNDS = 4
_REPEATED_SECONDS = 1.0

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 220)


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack, print, and exit with 1 if a bound is broken, or with one sentence and 2 if nothing can be attacked."""
    options = read_options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # or what it started would outlive it
    try:
        with contextlib.ExitStack() as stack:
            target, pids = find_target(options, stack)
            broken = (endure_all if options.minutes else attack)(options, target, pids)
    except (PreparationError, SystemFailedError, httpx.HTTPError) as error:
        print(error or repr(error), file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    raise SystemExit(BOUND_BROKEN if broken else 0)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    add = parser.add_argument
    add("--url", help="a running gateway to attack; it has to be yours (default: starts `graft up`)")
    add("--model-server", default="", help="HOST:PORT of its model server's gRPC API, to attack that too")
    add("--pid", type=int, nargs="*", default=[], help="with --url: the processes to measure, with their children")
    add("--key", default="", help="an API key for it")
    add("--engine", choices=("auto", "tensorflow", "litert"), default="auto", help="of `graft up` (default auto)")
    add("--no-batching", action="store_true", help="run `graft up` without batching")
    add("--folder", type=Path, help="where the model is made, and found the next time (default: removed at the end)")
    add("--models", type=Path, help="a folder of published models to serve, with --name")
    add("--name", default="bench", help="the model to attack (default bench)")
    add("--only", default="", help="only attacks whose kind or name contains this text")
    add("--short", action="store_true", help="no rounds beside each attack, no judgement of times: two minutes in all")
    add("--minutes", type=float, default=0.0, help="instead, send all of it mixed for so long, and compare memory")
    add("--seconds", type=float, default=3.0, help="how long good clients run beside each attack (default 3)")
    add("--data", type=Path, default=DATA, help="photographs and weights; without them images are drawn")
    return parser.parse_args(arguments)


def attack(options: argparse.Namespace, target: Target, pids: Sequence[int]) -> bool:
    """Send every attack, and print the table; return whether a bound is broken."""
    images = read_or_draw(options.data / "flowers" / "test")
    chosen = chosen_attacks(options, target, images[0])
    console.print(f"{len(chosen)} attacks on {target.host}:{target.port}")
    with Neighbours(target, images) as neighbours:
        if not options.short:  # which judges no times, and runs beside other tests, for which it would wait
            give_way()
        send = send_all_at_once if options.short else send_all
        outcomes, quiet = asyncio.run(send(chosen, target, Watch(pids), neighbours, options.seconds))
    console.print(attack_table(outcomes, quiet))
    console.print(
        f"Good clients alone: p99 {quiet.p99_ms:.0f} ms, highest round {quiet.spread:.2f} times that; "
        f"/livez waited {quiet.waited * 1e3:.0f} ms at most."
    )
    broken = [each for each in outcomes if faults(each, quiet)]
    console.print(f"{len(outcomes) - len(broken)} of {len(outcomes)} attacks stay within their bounds.")
    return bool(broken)


def give_way() -> None:
    """Attack at the lowest priority: an attacker's own work is done on his machine, and only the service's counts.

    The service and the good clients run in processes that were started before, and keep theirs.
    """
    os.setpriority(os.PRIO_PROCESS, 0, 19)


def chosen_attacks(options: argparse.Namespace, target: Target, image: bytes) -> list[Attack]:
    """Return the attacks that `--only` names."""
    found = corpus(target, image, short=options.short)
    return [each for each in found if options.only in f"{each.kind} {each.name}"]


def endure_all(options: argparse.Namespace, target: Target, pids: Sequence[int]) -> bool:
    """Send everything mixed for minutes; return whether the memory of a process grew by more than it may."""
    images = read_or_draw(options.data / "flowers" / "test")
    chosen = chosen_attacks(options, target, images[0])
    with Neighbours(target, [*images, *other_sizes(images)]) as neighbours:
        give_way()
        growths = asyncio.run(endure(chosen, target, Watch(pids), neighbours, options.minutes, console.print))
    for name, growth in growths.items():
        console.print(
            f"{name}: {growth.settled_mb:.0f} MB after {options.minutes * SETTLED_SHARE:.1f} min, "
            f"{growth.end_mb:.0f} MB at the end ({growth.share:+.1%}; at most {GROWTH:+.0%})"
        )
    return any(growth.share > GROWTH for growth in growths.values())


async def send_all(
    attacks: Sequence[Attack], target: Target, watch: Watch, neighbours: Neighbours, seconds: float
) -> tuple[list[Outcome], Noise]:
    """Send each attack alone, then beside good clients; return what came of it, and the service without attacks."""
    alone: list[Load] = []
    outcomes, sends = [], []
    idle = await measure_idle(target, watch, neighbours, seconds)
    for number, each in enumerate(attacks):
        if number % _ALONE_EVERY == 0:
            alone.append(await measure_beside(None, neighbours, seconds))
        outcome, send = await measure_cost(each, target, watch, neighbours, idle)
        outcome.beside = [await measure_beside(send, neighbours, seconds)]
        outcomes.append(outcome)
        sends.append(send)
        say_and_check(number, outcome, watch)
    noise = Noise(*spread(alone), idle.waited, idle.model_server_mb)
    slow = [(outcome, send) for outcome, send in zip(outcomes, sends, strict=True) if slows_others(outcome, noise)]
    await look_again(slow, neighbours, seconds)
    return outcomes, noise


async def look_again(slow: Sequence[tuple[Outcome, Send]], neighbours: Neighbours, seconds: float) -> None:
    """Repeat the rounds of attacks that seem to slow others, of which the median counts.

    A round has a hundred requests: its 99th percentile is its longest wait, and some of many rounds have a long one.
    """
    for number, (outcome, send) in enumerate(slow):
        console.print(f"again {number + 1} of {len(slow)}  {outcome.attack.name}")
        outcome.beside += [await measure_beside(send, neighbours, seconds) for _ in range(_MORE_ROUNDS)]


async def send_all_at_once(
    attacks: Sequence[Attack], target: Target, watch: Watch, neighbours: Neighbours, seconds: float
) -> tuple[list[Outcome], Noise]:
    """Send each attack alone, then those that took less than a second in turn beside good clients.

    No time is judged.
    """
    idle = await measure_idle(target, watch, neighbours, seconds)
    alone = await measure_beside(None, neighbours, seconds)
    outcomes, sends = [], []
    for number, each in enumerate(attacks):
        outcome, send = await measure_cost(each, target, watch, neighbours, idle, _SHORT_PAUSE_SECONDS)
        outcomes.append(outcome)
        if outcome.seconds < _REPEATED_SECONDS:
            sends.append(send)
        say_and_check(number, outcome, watch)
    beside = await measure_beside(in_turn(sends), neighbours, seconds, _SHORT_PAUSE_SECONDS)
    outcomes.append(Outcome(all_in_turn(attacks), beside=[beside]))
    return outcomes, Noise(*spread([alone]), idle.waited, idle.model_server_mb, judged_times=False)


def in_turn(sends: Sequence[Send]) -> Send:
    """Return what sends all of them, one after another."""

    async def send() -> list[str]:
        return [response for each in sends for response in await each()]

    return send


def all_in_turn(attacks: Sequence[Attack]) -> Attack:
    """Return the attack of one caller that sends all others."""
    return Attack("all in turn", "all", lambda target: in_turn([each.prepare(target) for each in attacks]))


def say_and_check(number: int, outcome: Outcome, watch: Watch) -> None:
    """Print what an attack came to.

    Raises:
        SystemFailedError: a process of the service has ended.
    """
    console.print(f"{number + 1:3d}  {outcome.attack.name}: {', '.join(dict.fromkeys(outcome.responses))}")
    if watch.ended():
        raise SystemFailedError(f"The service ended after the attack {outcome.attack.name}.")


if __name__ == "__main__":
    main()
