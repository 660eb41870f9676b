"""A training that is killed again and again ends with the same model, bit for bit."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import environment, graft, must_as_process
from tests.end_to_end.conftest import Trained

WAIT_SECONDS = 300
SETTINGS = {
    "model.image_size": 64,
    "model.alpha": 0.35,
    "head.units": [16],
    "head.dropout": [0.3],
    "data.batch_size": 8,
    "phase_one.epochs": 3,
    "phase_two.epochs": 3,
    "gate.force": True,
}


def arguments(colours: Trained) -> list[str | Path]:
    assignments = [argument for key, value in SETTINGS.items() for argument in ("--set", f"{key}={json.dumps(value)}")]
    base = colours.run  # a run is as good a base as any, and needs no download
    return [colours.runs.parent / "data", "--name", "again", "--weights", base, *assignments]


def stop_when(line: str, number: signal.Signals, *command: str | Path) -> int:
    """Run a verb, send it the signal once it has printed a line with this text, and return its exit code."""
    started = [sys.executable, "-m", "graft", *map(str, command)]
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        printed = []
        for text in process.stdout:
            printed.append(text)
            if line in text:
                process.send_signal(number)
                break
        printed += process.stdout
        assert process.wait(WAIT_SECONDS) != 0, "".join(printed)
        return process.returncode


def record_of(runs: Path) -> dict[str, Any]:
    (file,) = runs.glob("*/run.json")
    record: dict[str, Any] = json.loads(file.read_text())
    return record


@pytest.mark.slow  # four minutes; tests/trainer/training/test_resuming.py interrupts in both phases in every run
@pytest.mark.timeout(1100)
def test_killed_run_is_resumed_to_the_same_weights(colours: Trained, tmp_path: Path) -> None:
    """Killed in phase one, terminated and killed in phase two, and resumed each time, a run has the same weights.

    So has a run that repeats it with the settings in its folder.
    """
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    must_as_process("train", *arguments(colours), "--runs", whole)
    resume = ("train", "--resume", "latest", "--runs", broken)
    first = ("train", *arguments(colours), "--runs", broken)
    assert stop_when("phase one  2/3", signal.SIGKILL, *first) == -signal.SIGKILL
    assert stop_when("phase two  1/3", signal.SIGTERM, *resume) == 143
    assert stop_when("phase two  2/3", signal.SIGKILL, *resume) == -signal.SIGKILL
    assert "phase two  3/3" in must_as_process(*resume)
    assert record_of(broken)["weights_digest"] == record_of(whole)["weights_digest"]
    config = next(whole.glob("*/config.toml"))
    from_config = ("--name", "again", "--config", config, "--runs", tmp_path / "repeated")
    must_as_process("train", arguments(colours)[0], *from_config)
    assert record_of(tmp_path / "repeated")["weights_digest"] == record_of(whole)["weights_digest"]
    again = graft(*resume)
    assert again.returncode == 2
    assert "There is no interrupted run 'latest'" in again.stderr
