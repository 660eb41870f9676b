"""An export onto a disk that is full: one clear line, nothing left behind, and the next one succeeds."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.publish import read_version
from contract.versions import published_versions
from tests.end_to_end.command import graft, graft_process
from tests.exporter.runs import small_run

DISK_BYTES = 4 * 2**20
CANNOT_BE_MOUNTED = "a file system of a given size cannot be mounted here, which takes root"


@dataclass(frozen=True)
class Disk:
    """A small file system in memory, and a run to export onto it."""

    root: Path
    runs: Path

    @property
    def base_path(self) -> Path:
        """The folder of the run's versions."""
        return self.root / "colours"

    def export(self, *, as_process: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run `graft export` onto the disk; only of a process it is known what its own processes print."""
        run = graft_process if as_process else graft
        return run("export", "latest", "--runs", self.runs, "--models", self.root, "--again")

    def free_pages(self) -> int:
        """Return how many pages are free; a file takes whole ones, a folder none."""
        return os.statvfs(self.root).f_bavail

    def leave_free(self, pages: int) -> None:
        """Fill the disk, but for so many pages."""
        filler = self.root / "filler"
        filler.unlink(missing_ok=True)
        page_bytes = os.statvfs(self.root).f_frsize
        filler.write_bytes(bytes((self.free_pages() - pages) * page_bytes))
        assert self.free_pages() == pages


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk with nothing on it."""
    root = tmp_path_factory.mktemp("disk")
    if not shutil.which("mount"):
        pytest.skip(CANNOT_BE_MOUNTED)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(CANNOT_BE_MOUNTED)
    try:
        yield Disk(root, small_run(tmp_path_factory.mktemp("run")).folder.parent)
    finally:
        subprocess.run(["umount", str(root)], check=True)


@pytest.fixture(scope="module")
def needed_pages(disk: Disk) -> int:
    """How many pages a version takes, which is published to see it."""
    free = disk.free_pages()
    done = disk.export()
    assert done.returncode == 0, done.stderr
    return free - disk.free_pages()


def lines_of_ours(stderr: str) -> list[str]:
    """Leave out what the JPEG library inside TensorFlow prints by itself of a fixture that is cut within its header."""
    return [line for line in stderr.splitlines() if "JPEG library" not in line]


@pytest.mark.parametrize(
    "missing_pages",
    [
        pytest.param(None, id="nothing but a page is free, which is known before anything is written"),
        pytest.param(3, id="the warmup file has no room, which TensorFlow writes too", marks=pytest.mark.slow),
        pytest.param(1, id="the last file has no room"),
    ],
)
def test_full_disk_is_told_in_one_line(disk: Disk, needed_pages: int, missing_pages: int | None) -> None:
    """Wherever the disk gets full, a line says which folder has no room, and what was there is all that is there."""
    disk.leave_free(needed_pages - missing_pages if missing_pages else 1)
    free = disk.free_pages()
    done = disk.export(as_process=missing_pages is None)
    (line,) = lines_of_ours(done.stderr)
    assert re.match(rf"The disk of {disk.base_path} (is full|has too little room): [\d.]+ MB free", line)
    assert done.returncode == 2
    assert [path.name for path in disk.base_path.iterdir()] == ["1"]
    assert disk.free_pages() == free


def test_export_succeeds_when_there_is_room_again(disk: Disk, needed_pages: int) -> None:
    """With just as much room as a version takes, the next export publishes the next version."""
    disk.leave_free(needed_pages)
    done = disk.export()
    assert done.returncode == 0, done.stderr
    assert published_versions(disk.base_path) == [1, 2]
    assert read_version(disk.base_path / "2").version == 2
