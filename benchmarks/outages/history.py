"""What Prometheus knows from before: days of good traffic, so that no window of an objective is nearly empty.

A window of an hour that holds five minutes would fire within seconds, and a ticket for three days after five slow
predictions. The series are those of the recording rules of five minutes, which all windows of the objectives read.
"""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load.prometheus import PrometheusError
from benchmarks.outages.clock import seconds, shortened

LONGEST_WINDOW = "3d"
_GOOD = ("graft:requests_valid:rate5m", "graft:requests_timed:rate5m")
_BAD = ("graft:requests_failed:rate5m", "graft:requests_slow:rate5m")
_GAP_SECONDS = 1.0


def write_history(folder: Path, data: Path, *, rate: float, interval: str, factor: float) -> None:
    """Write blocks with `rate` good requests a second for the longest window, until a second ago, to `data`.

    `interval` is that between evaluations, as configured: averages count samples.

    Raises:
        PrometheusError: promtool does not accept it.
    """
    text = folder / "history.txt"
    step = seconds(shortened(interval, factor))
    with text.open("w", encoding="utf-8") as file:
        file.writelines(_lines(rate, step, seconds(LONGEST_WINDOW) / factor))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PrometheusError(f"promtool does not accept what was made up for before: {done.stderr.strip()}")


def _lines(rate: float, step: float, length: float) -> Iterator[str]:
    end = time.time() - _GAP_SECONDS
    moments = [end - length + number * step for number in range(round(length / step))]
    for names, value in ((_GOOD, rate), (_BAD, 0.0)):
        for name in names:
            yield f"# TYPE {name} gauge\n"
            yield from (f"{name} {value} {moment:.3f}\n" for moment in moments)
    yield "# EOF\n"
