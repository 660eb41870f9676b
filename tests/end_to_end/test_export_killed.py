"""An export that is killed leaves no half version, no process, and nothing that the next export stumbles over."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from contract.publish import read_version
from contract.versions import FIXTURES, published_versions
from exporter.proof.fixtures import ACCEPTED
from tests.end_to_end.command import environment, must
from tests.exporter.runs import expected_of, small_run

DEADLINE_SECONDS = 300
ORPHAN_SECONDS = 20
LOOK_EVERY_SECONDS = 0.05


class Exports:
    """Exports of one small run, into one folder, each in a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.runs = small_run(folder).folder.parent
        self.models = folder / "models"
        self.base_path = self.models / "colours"

    def start(self) -> "subprocess.Popen[str]":
        """Start `graft export`; what it prints can be read when it has ended."""
        command = [sys.executable, "-m", "graft", "export", "latest", "--again"]
        folders = ["--runs", str(self.runs), "--models", str(self.models)]
        return subprocess.Popen(
            [*command, *folders],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            start_new_session=True,
        )

    def finish(self) -> float:
        """Export to the end, and return how many seconds that took."""
        start = time.monotonic()
        with self.start() as process:
            printed, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0, printed
        return time.monotonic() - start

    def kill_after(self, seconds: float) -> bool:
        """Kill an export with all its processes, unless it ends before; return whether it was killed."""
        with self.start() as process:
            try:
                process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate(timeout=DEADLINE_SECONDS)
        assert_all_end(process.pid)
        return process.returncode == -signal.SIGKILL

    def wait_until_written(self, process: "subprocess.Popen[str]", name: str) -> None:
        """Return when the export has written a file of this name, or its folder, and other processes work for it."""
        wait_until(
            lambda: any(self.base_path.glob(f".unfinished-*/{name}")) and len(living(process.pid)) > 2,
            DEADLINE_SECONDS,
            lambda: f"nothing staged, or no other process: {living(process.pid)}",
        )

    def assert_next_one_succeeds(self) -> None:
        """Export once more: all versions are whole, there is one more, and nothing of the killed ones is left."""
        before = published_versions(self.base_path)
        must("export", "latest", "--runs", self.runs, "--models", self.models, "--again")
        self.assert_all_versions_are_whole()
        assert published_versions(self.base_path) == [*before, len(before) + 1]
        assert list(self.base_path.glob(".*")) == []

    def assert_all_versions_are_whole(self) -> None:
        """Read every version that a server could see, and compare its files with its manifest."""
        for number in published_versions(self.base_path):
            folder = self.base_path / str(number)
            assert read_version(folder).version == number
            assert len(expected_of(folder)) == len(list((folder / FIXTURES).iterdir())) - 1 > ACCEPTED
        visible = {path.name for path in self.base_path.iterdir() if not path.name.startswith(".")}
        assert visible == {str(number) for number in published_versions(self.base_path)}


def living(session: int) -> list[str]:
    """Return the processes of a session that have not ended, as their command lines."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float, why_not: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why_not()
        time.sleep(LOOK_EVERY_SECONDS)


def assert_all_end(session: int) -> None:
    wait_until(lambda: not living(session), ORPHAN_SECONDS, lambda: f"still running: {living(session)}")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Exports of a run of a small network."""
    return Exports(tmp_path_factory.mktemp("killed"))


@pytest.mark.slow  # eight minutes; the tests below kill three times in every run, each in another stage
@pytest.mark.timeout(3600)
def test_killed_export_leaves_a_whole_version_or_none(exports: Exports) -> None:
    """Killed at random moments of its whole time, an export leaves no half version, and the next one succeeds."""
    seconds, kills = exports.finish(), 20
    moments = random.Random(kills)
    killed = 0
    for turn in range(kills):
        killed += exports.kill_after(seconds * (turn + moments.random()) / kills)
        exports.assert_all_versions_are_whole()
    assert killed >= kills / 2
    exports.assert_next_one_succeeds()


def test_export_that_is_killed_with_its_processes_leaves_nothing_visible(exports: Exports) -> None:
    """Killed with all that it started when the model is written, an export leaves no version; the next one succeeds."""
    with exports.start() as process:
        exports.wait_until_written(process, "saved_model.pb")
        os.killpg(process.pid, signal.SIGKILL)
    assert_all_end(process.pid)
    exports.assert_all_versions_are_whole()
    assert published_versions(exports.base_path) == []
    exports.assert_next_one_succeeds()


@pytest.mark.parametrize(
    "written", [pytest.param("", marks=pytest.mark.slow), "assets.extra/tf_serving_warmup_requests"]
)
def test_no_process_outlives_the_one_that_was_killed(exports: Exports, written: str) -> None:
    """Where only the command is killed, as one that takes too much memory is, what it started ends by itself."""
    with exports.start() as process:
        exports.wait_until_written(process, written)
        process.kill()
        try:
            assert_all_end(process.pid)
        finally:
            if living(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
