"""The wheel, built from the files that Git knows, so that whatever was not added is missing here too."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.places import ROOT
from tests.repository import tracked_files


def build_wheel(folder: Path, *, isolated: bool = False) -> Path:
    """Build the wheel of the tracked files in `folder` and return its path; `isolated` downloads the build backend."""
    source = folder / "source"
    for path in tracked_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    flags = [] if isolated else ["--no-build-isolation"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel
