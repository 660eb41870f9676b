"""The inputs that people reported, each in a folder with a README that says what is right."""

from pathlib import Path

import pytest

from tests.places import CASES


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of the reported inputs."""
    if not CASES.is_dir():
        pytest.skip(f"no reported inputs at {CASES} (set GRAFT_CASES)")
    return CASES
