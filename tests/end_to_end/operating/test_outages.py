"""A model server is really killed, and what an operator hears of it is judged; `make outages` with one outage."""

import shutil
import subprocess
import sys

import pytest

from tests.end_to_end.conftest import Trained
from tests.places import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
    pytest.mark.slow,  # two and a half minutes of one outage
]


def test_a_killed_model_server_is_heard_of(colours: Trained) -> None:
    """Four pages and a ticket in time, nothing else, all over after the restart; the runbook is left as it is."""
    runbook = ROOT / "docs" / "runbook.md"
    before = runbook.read_text()
    images = colours.models.parent / "data"
    arguments = ["--only", "killed", "--models", colours.models, "--name", colours.name, "--images", images]
    command = [sys.executable, "-m", "benchmarks.outages", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 outages hold." in done.stdout
    assert runbook.read_text() == before
