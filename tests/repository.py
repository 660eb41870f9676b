"""The files of the repository, as Git knows them."""

import subprocess
from pathlib import Path

from tests.places import ROOT


def tracked_files(*under: str) -> list[Path]:
    """Return the tracked files that are still there, all or those under some folders, relative to the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *under]
    names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split("\0")
    return [Path(name) for name in names if name and (ROOT / name).is_file()]


def tracked_texts() -> dict[str, str]:
    """Return the tracked text files, by name."""
    found = {}
    for path in tracked_files():
        try:
            found[path.as_posix()] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file
    return found
