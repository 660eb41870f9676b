"""The extension under AddressSanitizer and UndefinedBehaviorSanitizer: it touches no byte outside of its buffers."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.modelserver.engines.pixels.extension import needs_extension
from tests.places import ROOT

SOURCE = ROOT / "modelserver" / "engines" / "pixels" / "kernel.c"
FLAGS = ("-std=c11", "-g", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

pytestmark = needs_extension


@pytest.fixture(scope="module")
def library() -> str:
    """The sanitizers' library, which has to be loaded before Python."""
    compiler = shutil.which("gcc")
    if compiler is None or not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        pytest.skip("there is no gcc, or no header of Python, to build the extension with")
    shown = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if not Path(found := shown.stdout.strip()).is_absolute():
        pytest.skip("gcc has no libasan here")
    return found


def build(folder: Path, source: Path = SOURCE) -> Path:
    """Build the extension with sanitizers."""
    target = folder / "kernel.abi3.so"
    include = sysconfig.get_paths()["include"]
    subprocess.run(["gcc", *FLAGS, *SANITIZERS, f"-I{include}", str(source), "-o", str(target)], check=True, cwd=folder)
    return target


def fuzzed(extension: Path, library: str, count: int) -> subprocess.CompletedProcess[str]:
    """Resize views of chance in a process with the sanitizers' library."""
    options = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "LD_PRELOAD": library, "PYTHONMALLOC": "malloc"}
    command = [sys.executable, "-m", "tests.modelserver.engines.pixels.fuzzed_resize", str(extension), str(count)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | options, timeout=300
    )


def test_views_of_chance_are_read_within_their_memory(library: str, tmp_path: Path) -> None:
    """Four hundred views of any strides, up to 65,500 pixels long, to any size: no error, and the same bits."""
    done = fuzzed(build(tmp_path), library, 400)
    assert (done.returncode, done.stdout) == (0, "400 resizes\n"), done.stderr[-3000:]


def test_one_byte_too_far_would_be_seen(library: str, tmp_path: Path) -> None:
    """With rows that are taken to be a pixel longer, the sanitizer ends the process and says where."""
    text = SOURCE.read_text()
    wrong = text.replace("values = rows->view->shape[1] * CHANNELS;", "values = (rows->view->shape[1] + 1) * CHANNELS;")
    assert wrong != text
    (tmp_path / "wrong.c").write_text(wrong)
    done = fuzzed(build(tmp_path, tmp_path / "wrong.c"), library, 400)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
