"""The version of the code that trained a model."""

import subprocess
from importlib.metadata import version
from pathlib import Path


def code_version() -> str:
    """Return the version of Graft and, in a checkout, the commit: `0.1.0+g1a2b3c4-dirty`."""
    release = version("graft-serving")
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return release
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return release  # git is missing, or refuses to read the checkout
    return f"{release}+g{described.stdout.strip()}"
