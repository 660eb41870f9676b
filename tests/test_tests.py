"""The tests themselves: what `make test-fast` leaves out, and that it would notice TensorFlow."""

import os
import subprocess
import sys

import pytest

from tests.conftest import LONGEST_FIRST, TESTS, WITH_TENSORFLOW

REJECTION = TESTS / "fakes" / "no_tensorflow"


@pytest.mark.parametrize("names", [WITH_TENSORFLOW, LONGEST_FIRST], ids=["without --fast", "first"])
def test_lists_name_what_is_there(names: tuple[str, ...]) -> None:
    """Each file and folder that the lists name is there; a renamed one would be run in another way in silence."""
    assert [name for name in names if not (TESTS / name).exists()] == []


@pytest.mark.parametrize("module", ["tensorflow", "keras"])
def test_tensorflow_is_refused_with_what_to_do(module: str) -> None:
    """Where the tests of `make test-fast` start a Python that imports TensorFlow or Keras, it fails and says why."""
    code = f"try: import {module}\nexcept ImportError: pass"  # as code does that can do without
    environment = os.environ | {"PYTHONPATH": str(REJECTION)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert f"The tests of `make test-fast` import no {module}; name this file or folder" in done.stderr


def test_fast_tests_leave_out_what_is_listed_and_nothing_else() -> None:
    """With --fast a listed file is not collected, its neighbours are, and TensorFlow is refused to all of them."""
    command = [sys.executable, "-m", "pytest", "--fast", "-n0", "--collect-only", "-q", "tests/contract"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS.parent, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}
    expected = {str(path.relative_to(TESTS.parent)) for path in (TESTS / "contract").rglob("test_*.py")}
    assert collected == expected - {"tests/contract/test_serving_messages.py"}
