"""The wheel, built from the files that Git knows, so that whatever was not added is missing here too."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.places import ROOT
from tests.repository import tracked_files


def build_wheel(folder: Path, *, isolated: bool = False, environment: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Build the wheel of the tracked files in `folder` and return its path.

    `isolated` downloads the build backend; `environment` has more variables for it.
    """
    source = folder / "source"
    for path in tracked_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    flags = [] if isolated else ["--no-build-isolation"]
    variables = {**os.environ, **environment}
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, timeout=600, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel
