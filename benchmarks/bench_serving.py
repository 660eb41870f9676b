"""How fast `graft up` is on a CPU, compared with what tutorials build and with the engines alone: `make bench-serving`.

(a) `graft up`, (b) a FastAPI service that calls the same model's unfolded SavedModel itself, (c) other servers that are
at hand: TensorFlow Serving, MLServer, (d) each engine of the model server called in a loop. Clients send all but (d)
the same images over HTTP, in turns, round by round, so that other load on the machine affects all equally; this process
is the load generator, that of `graft bench`, whose processor time is not counted.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.load.request_path import measure_path, path_table
from benchmarks.serving.junk import junk
from benchmarks.serving.peers import mlserver, tensorflow_serving
from benchmarks.serving.phases import (
    Footprint,
    Plan,
    Progress,
    capacities_of,
    measure_closed,
    measure_neighbours,
    measure_open,
    warm_up,
)
from benchmarks.serving.photographs import HEIGHT, WIDTH, read_or_draw
from benchmarks.serving.report import report
from benchmarks.serving.systems import (
    EngineLoop,
    System,
    SystemFailedError,
    started_graft,
    started_loop,
    started_tutorial,
)
from benchmarks.serving.version import PreparationError, Prepared, prepare, write_unfolded
from tests.places import DATA

BAD_INPUT = 2
ENGINES = ("tensorflow", "litert")
_STARTS = 3
_SHORT_SECONDS, _SHORT_ROUNDS, _SHORT_STARTS = 0.5, 1, 1
_ABOUT_ENGINES = re.compile(r"litert|engine", re.IGNORECASE)

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; exit with one sentence and code 2 if that is not possible."""
    options = read_options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-bench-")))
            folder.mkdir(parents=True, exist_ok=True)
            measure(options, folder, stack)
    except (PreparationError, SystemFailedError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--engine", choices=("auto", *ENGINES), default="auto", help="of `graft up` (default auto)")
    add("--seconds", type=float, default=4.0, help="how long each load lasts in a round (default 4)")
    add("--rounds", type=int, default=3, help="how often all take turns (default 3)")
    add("--quick", action="store_true", help="a small network, one round of half a second: whether it runs at all")
    add("--folder", type=Path, help="where the model is made, and found the next time (default: removed at the end)")
    add("--models", type=Path, help="a folder of published models to measure, with --name and --run")
    add("--name", help="the model in it")
    add("--run", type=Path, help="the folder of the run that was exported, for the tutorials' SavedModel")
    add("--without-antialias", action="store_true", help="let the tutorials' SavedModel resize without antialias")
    add("--tensorflow-defaults", action="store_true", help="leave oneDNN in the tutorials' service to TensorFlow")
    add("--with", dest="peers", action="append", default=[], choices=("mlserver",), help="install it into --folder")
    found = os.environ.get
    add("--mlserver-python", default=found(mlserver.VARIABLE, ""), help="a Python with MLServer and TensorFlow")
    binary = found(tensorflow_serving.VARIABLE, "")
    add("--tensorflow-model-server", default=binary, help="a binary of TensorFlow Serving")
    add("--data", type=Path, default=DATA, help="photographs and weights; without them images are drawn")
    options = parser.parse_args(arguments)
    if len({bool(options.models), bool(options.name), bool(options.run)}) > 1:
        parser.error("--models, --name and --run belong together: give all of them, or none")
    if options.quick:
        options.seconds, options.rounds = _SHORT_SECONDS, _SHORT_ROUNDS
    return options


@dataclass(frozen=True)
class Subjects:
    """What is measured: the version, the tutorials' SavedModel of the same network, and the images."""

    prepared: Prepared
    unfolded: Path
    images: Sequence[bytes]
    folder: Path


def measure(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> None:
    """Make the model, start everything, put all loads on it, and print what came of it."""
    progress = Progress(console)
    subjects = make_subjects(options, folder, progress)
    plan = Plan(subjects.images, options.seconds, options.rounds, progress)
    graft, footprint = start_graft(options, subjects, plan, stack)
    tutorial, other_footprint = start_tutorial(options, subjects, plan, stack)
    progress.say(agreement(graft, tutorial, subjects.images))
    peers = start_peers(options, subjects, plan, stack)
    systems = (graft, tutorial)
    progress.say(idle(systems, plan.seconds))
    loads, engines = measure_closed((*systems, *peers), start_loops(subjects, stack), plan)
    path = measure_path(graft, subjects.images, options.seconds)
    capacities = capacities_of(systems, loads)
    loads |= measure_open(systems, capacities, plan)
    neighbours = measure_neighbours(graft, junk(subjects.images), plan)
    footprints = {graft.name: footprint, tutorial.name: other_footprint}
    footprints |= {peer.name: peer_footprint for peer, peer_footprint in peers.items()}
    for system in (*systems, *peers):
        footprints[system.name].note(system)
    engine = engines.likely(options.engine)
    alone = (engines.alone_ms(engine, signature) for signature in ("pixels_of_image", "serving_pixels"))
    way = path_table(path, engine, *alone)
    for part in (way, *report(loads, engines, neighbours, footprints)):
        console.print(part)


def make_subjects(options: argparse.Namespace, folder: Path, progress: Progress) -> Subjects:
    """Make, or find, the version and the tutorials' SavedModel.

    Raises:
        PreparationError: they cannot be had.
    """
    images = read_or_draw(options.data / "flowers" / "test")
    if options.models:
        prepared = Prepared(options.models, options.name, options.run)
    else:
        progress.say("training and exporting the model to measure (two minutes)")
        prepared = prepare(folder, options.data, small=options.quick)
    version = prepared.version
    flags = ["--without-antialias"] if options.without_antialias else []
    unfolded = folder / ("unfolded-without-antialias" if flags else "unfolded")
    write_unfolded(prepared.run, unfolded, flags)
    progress.say(f"measuring {version}; JPEGs of {WIDTH}x{HEIGHT}; {os.cpu_count()} cores")
    return Subjects(prepared, unfolded, images, folder)


def start_graft(
    options: argparse.Namespace, subjects: Subjects, plan: Plan, stack: contextlib.ExitStack
) -> tuple[System, Footprint]:
    """Start `graft up` a few times with nothing else running; the last one stays, and its memory is measured."""
    flags = [] if options.engine == "auto" else ["--engine", options.engine]  # auto is the command's own default
    prepared, log = subjects.prepared, subjects.folder / "graft-up.log"

    def started() -> contextlib.AbstractContextManager[System]:
        return started_graft(prepared.models, prepared.name, flags, subjects.images[0], log)

    starts = []
    for _ in range((_SHORT_STARTS if options.quick else _STARTS) - 1):
        with started() as system:
            starts.append(system.start_seconds)
            plan.progress.say(f"graft up: first response after {system.start_seconds:.1f} s")
    system, footprint = keep(started, starts, plan, stack)
    for line in log.read_text(errors="replace").splitlines():
        if _ABOUT_ENGINES.search(line):
            plan.progress.say(f"graft up says: {line}")
    return system, footprint


def start_tutorial(
    options: argparse.Namespace, subjects: Subjects, plan: Plan, stack: contextlib.ExitStack
) -> tuple[System, Footprint]:
    """Start the service as in tutorials."""
    flags = ["--tensorflow-defaults"] if options.tensorflow_defaults else []
    image, log = subjects.images[0], subjects.folder / "tutorial.log"
    return keep(lambda: started_tutorial(subjects.unfolded, flags, image, log), [], plan, stack)


def start_peers(
    options: argparse.Namespace, subjects: Subjects, plan: Plan, stack: contextlib.ExitStack
) -> dict[System, Footprint]:
    """Start the other servers that are at hand, and say of each that is not why."""
    image, folder = subjects.images[0], subjects.folder
    base_path = subjects.prepared.models / subjects.prepared.name
    peers = {}
    if missing := tensorflow_serving.missing(options.tensorflow_model_server):
        plan.progress.say(missing)
    else:
        binary, log = options.tensorflow_model_server, folder / "tensorflow-serving.log"
        peer, footprint = keep(lambda: tensorflow_serving.started(binary, base_path, image, log), [], plan, stack)
        peers[peer] = footprint
    if missing := mlserver.missing(options.mlserver_python, wanted="mlserver" in options.peers):
        plan.progress.say(missing)
    else:
        plan.progress.say("looking for MLServer, or installing it (minutes)")
        python, log = options.mlserver_python or mlserver.installed(folder), folder / "mlserver.log"
        peer, footprint = keep(lambda: mlserver.started(python, subjects.unfolded, folder, image, log), [], plan, stack)
        peers[peer] = footprint
    return peers


def keep(
    started: Callable[[], contextlib.AbstractContextManager[System]],
    starts: list[float],
    plan: Plan,
    stack: contextlib.ExitStack,
) -> tuple[System, Footprint]:
    """Start a service that stays, warm it up, and measure its memory."""
    system = stack.enter_context(started())
    footprint = Footprint([*starts, system.start_seconds], system.tree.resident_mb())
    plan.progress.say(f"{system.name}: first response after {system.start_seconds:.1f} s")
    warm_up(system, plan)
    footprint.note(system)
    return system, footprint


def start_loops(subjects: Subjects, stack: contextlib.ExitStack) -> list[EngineLoop]:
    """Start each engine's loop, which waits for commands."""
    files = []
    for number, image in enumerate(subjects.images):
        files.append(subjects.folder / f"{number:02d}.jpg")
        files[-1].write_bytes(image)
    version, folder = subjects.prepared.version, subjects.folder
    return [stack.enter_context(started_loop(engine, version, files, folder / f"{engine}.log")) for engine in ENGINES]


def idle(systems: Sequence[System], seconds: float) -> str:
    """Say how much of a core each service takes while idle."""
    before = [system.tree.cpu_seconds() for system in systems]
    time.sleep(seconds)
    shares = [(system.tree.cpu_seconds() - cpu) / seconds for system, cpu in zip(systems, before, strict=True)]
    each = ", ".join(f"{system.name} {share:.1%}" for system, share in zip(systems, shares, strict=True))
    return f"share of a core while idle: {each}"


def agreement(graft: System, tutorial: System, images: Sequence[bytes]) -> str:
    """Say how many images both give the same label."""
    ours = [json.loads(body)["predictions"][0]["label"] for body in graft.responses(images)]
    theirs = [json.loads(body)["label"] for body in tutorial.responses(images)]
    same = sum(one == other for one, other in zip(ours, theirs, strict=True))
    return f"both give {same} of {len(images)} images the same label"


if __name__ == "__main__":
    main()
