"""`make bench-serving` from its start to its last table, on a small network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Trained
from tests.places import ROOT


def bench(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark as the Makefile does, on a machine without other servers."""
    without = {"MLSERVER_PYTHON": "", "TENSORFLOW_MODEL_SERVER": ""}
    command = [sys.executable, "-m", "benchmarks.bench_serving", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, cwd=ROOT, env={**os.environ, **without}
    )


@pytest.mark.slow  # two minutes of load, which other tests beside it would disturb
def test_a_quick_run_measures_everything(colours: Trained, tmp_path: Path) -> None:
    """Both services answer every request under every load, and each thing that has to hold is judged."""
    version = ("--models", colours.models, "--name", colours.name, "--run", colours.run)
    done = bench("--quick", *version, "--folder", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        "TensorFlow Serving is left out",
        "MLServer is left out",
        "32 clients",
        "open, 80% of capacity",
        "tensorflow, serving_default",
        "beside one with junk",
        "CPU per image, 32 clients, of the tutorial's",
        "graft up, start to first response",
    ):
        assert expected in done.stdout
    rows = [
        line.split() for line in done.stdout.splitlines() if line.startswith(("  1 client ", "  8 clients", "  32 "))
    ]
    assert len(rows) == 6
    assert {row[-1] for row in rows} == {"0"}, "some requests failed"


def test_a_version_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """Where nothing is published the benchmark ends with exit code 2, and says what makes a version."""
    done = bench("--quick", "--models", tmp_path, "--name", "none", "--run", tmp_path, "--folder", tmp_path / "new")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"There is no published version under {tmp_path / 'none'}; `graft export` makes one."
    ]


def test_a_version_without_its_run_is_refused(tmp_path: Path) -> None:
    """The tutorials' SavedModel is made from the run, so a version alone cannot be compared."""
    done = bench("--models", tmp_path)
    assert done.returncode == 2
    assert "--models, --name and --run belong together" in done.stderr
