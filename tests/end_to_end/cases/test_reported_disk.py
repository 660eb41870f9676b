"""A full disk while training, as people reported it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.drawn.images import write_classes
from tests.end_to_end.cases.tiny import TINY
from tests.end_to_end.command import graft

CANNOT_BE_MOUNTED = "a file system of a given size cannot be mounted here, which takes root"


def test_a_full_disk_says_which_folder_and_that_resume_goes_on(tmp_path: Path) -> None:
    """The disk of the runs is full while training: one sentence with the folder and `--resume`."""
    write_classes(tmp_path / "photos", per_class=6)
    disk = tmp_path / "tiny"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(CANNOT_BE_MOUNTED)
    try:
        done = graft("train", tmp_path / "photos", "--name", "full", "--runs", disk, *TINY)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert str(disk) in done.stderr
    assert "--resume" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
