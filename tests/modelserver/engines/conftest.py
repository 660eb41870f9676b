"""A version that needs no TensorFlow, made once for all tests."""

from pathlib import Path

import pytest

from modelserver.engines.pixels.resize import is_built
from tests.modelserver.engines.pixels.extension import NOT_BUILT
from tests.modelserver.engines.pixels.proved_versions import NAME, write_proved_version
from tests.sharing import made_once


@pytest.fixture(scope="session")
def proved_version(shared_folder: Path) -> Path:
    """The folder of a version whose images are proved to become the same pixels; nobody changes it."""
    if not is_built():
        pytest.skip(NOT_BUILT)
    return made_once(shared_folder / "proved-version", _write)


def _write(folder: Path) -> Path:
    return write_proved_version(folder / NAME / "1")
