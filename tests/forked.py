"""Code run in a process of its own, in which nothing has happened but that TensorFlow was imported."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run_forked(code: str, *arguments: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
    """Run what `python -c CODE ARGUMENTS` would, without the five seconds of its import: see tests/preloaded.py."""
    with tempfile.TemporaryDirectory(prefix="graft-forked-") as name:
        out, err = Path(name) / "out", Path(name) / "err"
        process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(code, list(arguments), str(out), str(err))
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        exit_code = process.exitcode
        assert exit_code is not None
        return subprocess.CompletedProcess(["python", "-c", code], exit_code, out.read_text(), err.read_text())


def _run(code: str, arguments: list[str], out: str, err: str) -> None:
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["-c", *arguments]
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(code, scope)
