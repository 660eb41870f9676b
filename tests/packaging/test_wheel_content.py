"""What is in the wheel: every file of the packages, and nothing else."""

import re
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.packaging.built_wheel import build_wheel
from tests.packaging.test_names import PACKAGES
from tests.repository import tracked_files

BACKEND = int(version("setuptools").partition(".")[0])
OLDEST = 80
"""As in pyproject.toml's build-system."""

EXTENSION = "modelserver/engines/pixels/kernel.abi3.so"

pytestmark = pytest.mark.skipif(
    BACKEND < OLDEST, reason=f"setuptools {BACKEND} cannot build it; `make setup` brings it"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of the tracked files."""
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


def test_the_wheel_has_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    """Modules, templates, descriptors, lists and migrations are in the wheel as Git has them; tests are not."""
    tracked = {path.as_posix() for path in tracked_files(*PACKAGES)}
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside - {EXTENSION} == tracked
    assert {Path(name).suffix for name in inside} >= {".py", ".jinja", ".binpb", ".txt"}


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """The wheel has the distribution's name, the one command, the README and the licence."""
    (entry_points,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert entry_points.startswith("graft_serving-")
    assert wheel.read(entry_points).decode().split() == ["[console_scripts]", "graft", "=", "graft.cli:main"]
    metadata = wheel.read(entry_points.replace("entry_points.txt", "METADATA")).decode()
    assert "\nName: graft-serving\n" in metadata
    assert "\n# Graft\n" in metadata
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler, without which it is left out")
def test_the_extension_is_compiled_for_every_python_from_the_oldest(wheel: zipfile.ZipFile) -> None:
    """The resize is in the wheel for Python's stable ABI, and the wheel's name says so."""
    assert EXTENSION in wheel.namelist()
    assert re.search(r"-cp311-abi3-[^-]+\.whl$", str(wheel.filename))


def test_without_a_compiler_the_wheel_is_built_without_it(tmp_path: Path) -> None:
    """Where the compiler fails, everything else is installed all the same."""
    names = zipfile.ZipFile(build_wheel(tmp_path, environment={"CC": "false"})).namelist()
    assert EXTENSION not in names
    assert "modelserver/engines/pixels/resize.py" in names
