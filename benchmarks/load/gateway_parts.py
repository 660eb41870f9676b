"""Where the gateway spends its time, from a py-spy recording: `python -m benchmarks.load.gateway_parts FILE US`.

FILE has a line for each stack, outermost frame first, and how often it was seen (`py-spy record --format raw`). US is
the CPU of a request in microseconds, which is shared out; docs/performance.md has the commands around it.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

IDLE = ("_worker (concurrent/futures/thread.py", "Thread.run (threading.py")
PARTS = {
    "log line": ("gateway/observability/logs.py",),
    "metrics": (
        "_metrics.py",
        "gateway/observability/metric_labels.py",
        "prometheus_client/",
    ),
    "drift": ("gateway/drift",),
    "checking the image": ("gateway/predict/image_guard.py", "contract/image_cost", "imagesize"),
    "gRPC's Python part": ("(grpc/",),
    "gRPC request and its response": ("gateway/predict/scores.py", "gateway/backend/tensors.py"),
    "labels and JSON": ("_label (", "likeliest (", "_to_json (", "to_json ("),
    "reading HTTP (uvicorn)": ("data_received (",),
    "writing HTTP (uvicorn)": ("RequestResponseCycle.send (",),
    "id, deadline, body, end of a request": ("_RequestHandler.", "gateway/http/bodies.py"),
    "slot, circuit, stages, request handler": ("predict_images (", "gateway/observability/observers.py"),
    "Starlette and FastAPI": ("starlette/", "fastapi/"),
}
REST = "event loop, gRPC's callbacks in it"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stacks", type=Path, help="what `py-spy record --format raw` wrote")
    parser.add_argument("microseconds", type=float, help="CPU of a request")
    options = parser.parse_args()
    seen = count_parts(options.stacks.read_text().splitlines())
    table = Table("part", "us", "share", box=box.SIMPLE)
    for part, count in seen.most_common():
        share = count / seen.total()
        table.add_row(part, f"{share * options.microseconds:.0f}", f"{share:.0%}")
    Console(highlight=False, soft_wrap=True).print(table)


def count_parts(stacks: Iterable[str]) -> Counter[str]:
    """Return how many samples belong to each part; the threads that only wait are left out."""
    seen: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if not any(idle in stack for idle in IDLE):
            seen[part_of(stack)] += int(count)
    return seen


def part_of(stack: str) -> str:
    """Return the part that a stack belongs to: the first in the order of `PARTS` that one of its frames names."""
    return next((part for part, marks in PARTS.items() if any(mark in stack for mark in marks)), REST)


if __name__ == "__main__":
    main()
