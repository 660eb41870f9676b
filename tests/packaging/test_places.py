"""What the repository says of the machine that it lies on: one file knows where things outside it may be."""

import os
import re
import subprocess
import sys

import pytest

from tests.places import ROOT
from tests.repository import tracked_texts

OUTSIDE = re.compile(r"\.\./shared|[\"']shared[\"']|/shared/|\bparents\[[1-9]\]\s*/\s*[\"']\.\.")
ROOT_BY_COUNTING = re.compile(r"Path\(__file__\)(?:\.resolve\(\))?\.parents\[")
MACHINE = re.compile(r"/home/\w+/|/work/\w+|/root/(?!\.cache)\w*")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """All text files of the repository but this one."""
    return {name: text for name, text in tracked_texts().items() if name != "tests/packaging/test_places.py"}


def test_one_file_names_what_lies_outside(texts: dict[str, str]) -> None:
    """Only tests/places.py has the defaults of GRAFT_DATA, GRAFT_CONFORMANCE and the like."""
    assert [name for name, text in texts.items() if OUTSIDE.search(text)] == ["tests/places.py"]


def test_one_file_finds_the_repository(texts: dict[str, str]) -> None:
    """Tests and benchmarks take the root from tests/places.py, so that a file can move without a count of folders."""
    counting = [name for name, text in texts.items() if ROOT_BY_COUNTING.search(text)]
    assert [name for name in counting if name.startswith(("tests/", "benchmarks/"))] == ["tests/places.py"]


def test_no_path_of_a_machine_is_named(texts: dict[str, str]) -> None:
    """No file names a folder of somebody's machine."""
    assert [(name, match[0]) for name, text in texts.items() if (match := MACHINE.search(text))] == []


def test_the_environment_decides() -> None:
    """Places that are given are taken, relative ones from the repository, and the shell hears of all."""
    given = {"GRAFT_DATA": "elsewhere", "GRAFT_CONTAINER_LAB": "/lab with space", "PATH": os.environ["PATH"]}
    shown = subprocess.run(
        [sys.executable, "-m", "tests.places"],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    data, conformance, cases, lab = shown.stdout.splitlines()
    assert data == f"export GRAFT_DATA={ROOT / 'elsewhere'}"
    assert conformance.startswith("export GRAFT_CONFORMANCE=")
    assert cases.startswith("export GRAFT_CASES=")
    assert lab == "export GRAFT_CONTAINER_LAB='/lab with space'"
