"""How fast `graft predict` is with 500 images, beside what the server can do: `make bench-predict`.

One `graft up` serves. In turns, round by round, the load generator of `make bench-serving` sends the same images one by
one from 8 and from 32 clients, whose higher rate is what that benchmark calls the server's capacity, and 32 at a time
from 4, as the command does; then the command runs, as a process, on a folder of them, from its start to its end. All
are on one machine, so the command, as the generator, takes its processor time from the server.
"""

import argparse
import contextlib
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console

from benchmarks.serving.phases import Progress
from benchmarks.serving.photographs import read_or_draw
from benchmarks.serving.systems import System, SystemFailedError, request_bytes, started_graft
from benchmarks.serving.version import PreparationError, Prepared, prepare
from graft.tables import plain_table, wide_console
from graft.traffic.clients import closed_loop
from graft.traffic.connection import Endpoint
from tests.places import DATA

BAD_INPUT = 2
LEAST_RATIO = 0.9
_TOGETHER, _AT_A_TIME = 32, 4
_WAYS = ((1, 8), (1, 32), (_TOGETHER, _AT_A_TIME))
"""Images in a request, and clients."""

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


@dataclass(frozen=True)
class ComparedRound:
    """Images per second of the load generator in each of its ways, and of the command; and the command's seconds."""

    server: dict[tuple[int, int], float]
    command: float
    seconds: float

    @property
    def ratio(self) -> float:
        """The command's share of the server's capacity by `make bench-serving`, with an image in a request."""
        return self.command / max(rate for (together, _), rate in self.server.items() if together == 1)

    @property
    def ratio_to_batches(self) -> float:
        """Its share of what the generator reaches with as many images in a request."""
        return self.command / max(rate for (together, _), rate in self.server.items() if together > 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; exit with one sentence and code 2 if that is not possible."""
    options = read_options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graft-bench-")))
            folder.mkdir(parents=True, exist_ok=True)
            measure(options, folder)
    except (PreparationError, SystemFailedError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=int, default=500, help="how many the command predicts (default 500)")
    add("--seconds", type=float, default=3.0, help="how long each load of the generator lasts (default 3)")
    add("--rounds", type=int, default=5, help="how often all take turns (default 5)")
    add("--quick", action="store_true", help="a small network, one short round, 40 images: whether it runs at all")
    add("--folder", type=Path, help="where the model is made, and found the next time (default: removed at the end)")
    add("--data", type=Path, default=DATA, help="photographs and weights; without them images are drawn")
    options = parser.parse_args(arguments)
    if options.quick:
        options.images, options.seconds, options.rounds = 40, 0.5, 1
    return options


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Make the model and the images, start the service, let all take turns, and print what came of it."""
    progress = Progress(console)
    progress.say("training and exporting the model to measure, unless it is there (two minutes)")
    prepared: Prepared = prepare(folder, options.data, small=options.quick)
    images = read_or_draw(options.data / "flowers" / "test")
    photographs = write_images(folder / "photographs", images, options.images)
    with started_graft(prepared.models, prepared.name, [], images[0], folder / "graft-up.log") as system:
        for way in _WAYS:
            offer(system, images, way, options.seconds)  # warm up
        rounds = []
        for number in range(1, options.rounds + 1):
            server = {way: offer(system, images, way, options.seconds) for way in _WAYS}
            seconds = run_predict(photographs, system)
            rounds.append(ComparedRound(server, options.images / seconds, seconds))
            progress.say(f"round {number} of {options.rounds}: {_said(rounds[-1])}")
    print_report(rounds)


def write_images(folder: Path, images: Sequence[bytes], count: int) -> Path:
    """Write so many files, in turns of `images`, and return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, content in zip(range(count), itertools.cycle(images), strict=False):
        (folder / f"{number:04d}.jpg").write_bytes(content)
    return folder


def offer(system: System, images: Sequence[bytes], way: tuple[int, int], seconds: float) -> float:
    """Send images, so many in a request from so many clients, without a pause; return images per second.

    Raises:
        SystemFailedError: a request failed.
    """
    together, clients = way
    requests = system.requests(images) if together == 1 else batched(system, images, together)
    load = uvloop.run(closed_loop(Endpoint(system.port), itertools.cycle(requests), clients, seconds))
    if load.failed:
        raise SystemFailedError(f"{load.failed} requests with {together} images each failed.")
    return together * load.per_second


def batched(system: System, images: Sequence[bytes], together: int) -> list[bytes]:
    """Return a whole request of a form with so many images."""
    boundary = b"graft-bench-predict"
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\n%s\r\n' % (boundary, number, image)
        for number, image in zip(range(together), itertools.cycle(images), strict=False)
    )
    whole = request_bytes(system.path, body + b"--%s--\r\n" % boundary, system.port)
    return [whole.replace(b"image/jpeg", b"multipart/form-data; boundary=" + boundary, 1)]


def run_predict(photographs: Path, system: System) -> float:
    """Run the command on a folder, and return the seconds from its start to its end.

    Raises:
        SystemFailedError: it failed.
    """
    url = f"http://127.0.0.1:{system.port}"
    command = [sys.executable, "-m", "graft", "predict", str(photographs), "--csv", "--url", url]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemFailedError(f"`graft predict` ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return seconds


def print_report(rounds: Sequence[ComparedRound]) -> None:
    """Print the medians with the lowest and highest of the rounds."""
    rows = [
        (f"load generator, {way[0]} in a request, {way[1]} clients", *_spread([each.server[way] for each in rounds]))
        for way in _WAYS
    ]
    rows.append(("graft predict, from its start to its end", *_spread([each.command for each in rounds])))
    titles = ("who sends", "images/s, median", "lowest", "highest")
    target = wide_console()
    target.print(plain_table(titles, rows, to_the_right=titles[1:]))
    ratio, spread = _ratio([each.ratio for each in rounds])
    verdict = "reached" if ratio >= LEAST_RATIO else "missed"
    target.print(f"graft predict reaches {spread} of the server's capacity; at least {LEAST_RATIO} is {verdict}.")
    _, spread = _ratio([each.ratio_to_batches for each in rounds])
    target.print(f"It reaches {spread} of the generator's rate with {_TOGETHER} images in a request.")


def _ratio(values: Sequence[float]) -> tuple[float, str]:
    return median(values), f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f} in {len(values)} rounds)"


def _spread(values: Sequence[float]) -> tuple[str, str, str]:
    return f"{median(values):.1f}", f"{min(values):.1f}", f"{max(values):.1f}"


def _said(measured: ComparedRound) -> str:
    server = ", ".join(f"{way[0]}x{way[1]} {rate:.1f}" for way, rate in measured.server.items())
    command = f"graft predict {measured.command:.1f} ({measured.seconds:.1f} s)"
    return f"server {server} images/s; {command}, {measured.ratio:.2f} and {measured.ratio_to_batches:.2f}"


if __name__ == "__main__":
    main()
