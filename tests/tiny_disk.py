"""A disk of a few pages, which is full as soon as a test wants it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CANNOT_BE_MOUNTED = "a disk of its own cannot be mounted here"


@contextmanager
def tiny_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of `size` bytes at `folder` for the `with`; skip the test where that is not possible."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(CANNOT_BE_MOUNTED)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file that leaves no page of a disk free, and return it."""
    found = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize))
    return filler
