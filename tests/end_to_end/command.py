"""Running the command as a person does, reading what it prints: as a process, or in this one where that is enough."""

import atexit
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import httpx
import pytest

from graft.cli import app

_OWN = tempfile.TemporaryDirectory(prefix="graft-lineage-")
atexit.register(_OWN.cleanup)
_LINEAGES = [Path(_OWN.name)]

START_SECONDS = 120
STOP_SECONDS = 60


def environment() -> dict[str, str]:
    """Return this process's environment, with a lineage that is removed at the end, not in this folder."""
    return os.environ | {"GRAFT_LINEAGE_URL": f"sqlite:///{_LINEAGES[-1]}/lineage.db"}


def keep_lineage_in(folder: Path) -> None:
    """Let verbs keep their lineage in a folder from now on, which other test workers may share."""
    _LINEAGES.append(folder)


def graft(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a verb to its end in this process, which has TensorFlow; return what it printed and its exit code.

    A process of its own would import TensorFlow first, which takes five times as long as most verbs.
    """
    out, err = io.StringIO(), io.StringIO()
    words = [str(argument) for argument in arguments]
    with (
        mock.patch.dict(os.environ, environment()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        app(words)
    return subprocess.CompletedProcess(words, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def must(*arguments: str | Path) -> str:
    """Run a verb that must succeed in this process, and return its standard output."""
    return _printed_by(graft(*arguments))


def graft_process(*arguments: str | Path, timeout: float = 1100) -> "subprocess.CompletedProcess[str]":
    """Run a verb to its end as a person does; return what it, and what it started, printed, and its exit code."""
    command = [sys.executable, "-m", "graft", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment())


def must_as_process(*arguments: str | Path) -> str:
    """Run a verb that must succeed as a person does, and return its standard output."""
    return _printed_by(graft_process(*arguments))


def _printed_by(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Service:
    """A running `graft up` or `graft gateway`, and all that it has printed so far."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def client(self) -> httpx.Client:
        """Return a client of the service."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=False)


@contextmanager
def started(*arguments: str | Path, announces: str, **variables: str) -> Iterator[Service]:
    """Run a verb that serves, until the `with` ends; `announces` is a pattern whose first group is the address.

    `variables` are added to its environment.
    """
    command = [sys.executable, "-m", "graft", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment() | variables
    ) as process:
        service = Service(process)
        announced = threading.Event()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                service.lines.append(line)
                if not service.url and (found := re.search(announces, line)):
                    service.url = found[1]
                    announced.set()
            announced.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert announced.wait(START_SECONDS), service.lines
            assert service.url, "".join(service.lines)
            yield service
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
            reader.join()
