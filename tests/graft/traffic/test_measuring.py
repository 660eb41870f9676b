"""What a load costs the processes that carry it, and how latencies become percentiles."""

import asyncio
import math
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from graft.traffic.clients import Load
from graft.traffic.measuring import CostMeter, MemoryPeak, percentile_ms, run_load
from graft.traffic.process_tree import ProcessTree

_WORKER = """
import sys, time
for line in sys.stdin:
    held = bytearray(b"x") * int(line)
    end = time.process_time() + 0.2
    while time.process_time() < end: pass
    print("done", flush=True)
    sys.stdin.readline()
    del held
    print("done", flush=True)
"""


def worker() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_cost_is_for_each_image_that_was_predicted() -> None:
    """Two tenths of a second for four images are fifty milliseconds each; memory that was given back is in the peak."""
    with worker() as process:
        tree = ProcessTree(process.pid)
        meter, peak = CostMeter(tree), MemoryPeak(tree)
        before = tree.resident_mb()
        tell(process, "60000000")
        peak.note()
        tell(process, "")
        load = Load(latencies=[0.05] * 4, seconds=1.0)
        load.statuses[200] = 4
        load.statuses[503] = 4
        cost = meter.read(load)
        assert peak.peak_mb() - before == pytest.approx(60, abs=8)
        assert tree.resident_mb() - before < 30
        process.kill()
    assert 45 <= cost.cpu_ms <= 80
    assert len(cost.cpu) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 100, 1001])
def test_percentiles_are_those_of_numpy(count: int) -> None:
    """Interpolated between the two nearest latencies."""
    latencies = [random.Random(count).expovariate(50) for _ in range(count)]
    for share in (0, 50, 90, 95, 99, 100):
        assert percentile_ms(latencies, share) == pytest.approx(float(np.percentile(latencies, share)) * 1e3)
    assert math.isnan(percentile_ms([], 50))


def test_a_load_is_looked_at_while_it_runs() -> None:
    """Twice a second, in the loop of the load itself, and no longer."""
    samples: list[float] = []

    async def load() -> Load:
        await asyncio.sleep(1.2)
        return Load()

    run_load(load(), lambda: samples.append(time.perf_counter()))
    assert len(samples) == 2


def test_an_interrupted_load_keeps_what_was_counted() -> None:
    """Ctrl-C goes through, and nothing of the load still runs."""
    counted = Load()

    async def load() -> Load:
        while True:
            counted.note(200, 0.1)
            if len(counted.latencies) == 3:
                signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)

    with pytest.raises(KeyboardInterrupt):
        run_load(load())
    assert 3 <= len(counted.latencies) <= 5
