"""Removes pip and its kind from the interpreter that runs this: an image that serves installs nothing.

However the base image brought them, as wheels or as packages of the distribution, they are found as Python finds them.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

_INSTALLERS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "ensurepip")
_COMMANDS = ("pip*", "easy_install*", "wheel*")


def main() -> None:
    """Remove packages, what describes them, and commands."""
    for name in _INSTALLERS:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            package = Path(place)
            for described in package.parent.glob(f"{name}-*-info"):
                shutil.rmtree(described)
            shutil.rmtree(package)
    for folder in {Path(sys.executable).parent, Path("/usr/bin"), Path("/usr/local/bin")}:
        for pattern in _COMMANDS:
            for command in folder.glob(pattern):
                command.unlink()


if __name__ == "__main__":
    main()
