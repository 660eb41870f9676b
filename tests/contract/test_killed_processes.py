"""Publication by processes that are killed: a version is whole or not there, and leftovers go."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.versions import published_versions, staged_folder
from tests.places import ROOT

DEADLINE_SECONDS = 60.0
FILES = 6

STAGE_AND_WAIT = """
import sys
from pathlib import Path
from contract.versions import staged_folder

with staged_folder(Path(sys.argv[1])) as staged:
    (staged / "file").write_text("x")
    print(staged.name, flush=True)
    sys.stdin.read()
"""

PUBLISH_WITHOUT_END = f"""
import sys
from pathlib import Path
from contract.versions import next_version, publish, staged_folder

base_path = Path(sys.argv[1])
while True:
    with staged_folder(base_path) as staged:
        for index in range({FILES}):
            (staged / str(index)).write_bytes(b"x" * 10_000)
        publish(staged, base_path / str(next_version(base_path)))
"""

DIE_AT_EACH_STEP = f"""
import json, os, shutil, signal, sys
from pathlib import Path
import contract.versions
from contract.versions import publish, staged_folder

base_path = Path(sys.argv[1])
source = contract.versions.__file__

def publish_one():
    with staged_folder(base_path) as staged:
        for index in range({FILES}):
            (staged / str(index)).write_bytes(b"x" * 100)
        publish(staged, base_path / "1")

def die_at(steps_left):
    def count_step():
        nonlocal steps_left
        steps_left -= 1
        if steps_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def trace(frame, event, argument):
        if frame.f_code.co_filename != source:
            return None
        if event != "call":
            count_step()
        return trace
    def audit(event, arguments):  # what the library does to files, within one line of ours
        if event == "open" or event.startswith(("os.", "shutil.")) and event != "os.kill":
            count_step()
    sys.addaudithook(audit)
    sys.settrace(trace)
    publish_one()
    os._exit(0)

seen, step = [], 0
while True:
    child = os.fork()
    if child == 0:
        die_at(step)
    status = os.waitpid(child, 0)[1]
    version = base_path / "1"
    seen.append(len(list(version.iterdir())) if version.is_dir() else None)
    shutil.rmtree(version, ignore_errors=True)
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    step += 1
publish_one()
print(json.dumps({{"files": seen, "left": sorted(os.listdir(base_path))}}))
"""


def started(code: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A living process that has staged a folder under `tmp_path`."""
    with started(STAGE_AND_WAIT, tmp_path) as process:
        yield process
        process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_folder_of_a_living_process_is_left_alone(tmp_path: Path, owner: subprocess.Popen[str]) -> None:
    """Staging a folder does not touch the one that a living process is filling."""
    its_folder = tmp_path / first_line(owner)
    with staged_folder(tmp_path) as staged:
        assert staged != its_folder
        assert (its_folder / "file").read_text() == "x"
    assert (its_folder / "file").read_text() == "x"


def test_leftover_of_a_killed_process_is_removed(tmp_path: Path, owner: subprocess.Popen[str]) -> None:
    """What a killed process left half done is removed by the next one."""
    leftover = tmp_path / first_line(owner)
    owner.kill()
    owner.wait(DEADLINE_SECONDS)
    assert (leftover / "file").exists()
    with staged_folder(tmp_path) as staged:
        assert [path.name for path in tmp_path.iterdir()] == [staged.name]


def test_death_at_any_step_leaves_a_whole_version_or_none(tmp_path: Path) -> None:
    """Killed at each line and file operation in turn, a process leaves all of the version's files or no version."""
    done = subprocess.run(
        [sys.executable, "-c", DIE_AT_EACH_STEP, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    result = json.loads(done.stdout)
    assert set(result["files"]) == {None, FILES}  # both were seen, and nothing between
    assert result["left"] == ["1"]


def test_kill_from_outside_leaves_only_whole_versions(tmp_path: Path) -> None:
    """Killed at moments that the process does not know, it leaves only versions with all their files."""
    for versions_before, files_before in [(1, 0), (3, 2), (6, FILES - 1), (9, FILES)]:
        with started(PUBLISH_WITHOUT_END, tmp_path) as process:
            wait_until_staged(tmp_path, versions_before, files_before)
            os.kill(process.pid, signal.SIGKILL)
        versions = published_versions(tmp_path)
        assert len(versions) >= versions_before
        assert {len(list((tmp_path / str(version)).iterdir())) for version in versions} == {FILES}


def wait_until_staged(base_path: Path, versions: int, files: int) -> None:
    """Look, without a pause, until so many versions are there and so many files in the one that is being made."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if len(published_versions(base_path)) >= versions and any(
            staged_files(folder) >= files for folder in base_path.glob(".unfinished-*")
        ):
            return
    pytest.fail(f"no {versions} versions and {files} staged files within {DEADLINE_SECONDS:.0f} s")


def staged_files(folder: Path) -> int:
    try:
        return len(list(folder.iterdir()))
    except FileNotFoundError:  # published between the two looks
        return -1
