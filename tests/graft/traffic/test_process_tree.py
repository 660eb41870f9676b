"""What a tree of processes uses: processor time of all of it, and memory with shared pages counted once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from graft.traffic.process_tree import Mapping, ProcessTree, machine_cpu_seconds, resident_bytes, role_of

_WORK = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
_HOLD = "held = bytearray(b'x') * 50_000_000"
_WAIT = "print('ready', flush=True); input()"


@contextmanager
def running(*lines: str) -> Iterator[ProcessTree]:
    """Run Python lines in a process that then waits, until the `with` ends."""
    code = "\n".join(["import subprocess, sys", *lines, _WAIT])
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield ProcessTree(process.pid)
        process.terminate()


def child(code: str) -> str:
    """Return a line that starts a process which runs `code` and waits, once that is done."""
    waiting = f"{code}\n{_WAIT}"
    command = f"[sys.executable, '-c', {waiting!r}]"
    started = f"child = subprocess.Popen({command}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)"
    return f"{started}\nchild.stdout.readline()"


def test_time_of_children_counts_while_they_live() -> None:
    """A process that leaves the work to a child has used the child's time too."""
    with running(child(_WORK)) as tree:
        assert 0.45 <= tree.cpu_seconds() <= 1.0
        assert len(tree.processes()) == 2


def test_time_of_children_counts_after_their_end() -> None:
    """Time of a child that was waited for is not lost between two looks."""
    with running(f"subprocess.run([sys.executable, '-c', {_WORK!r}])") as tree:
        assert 0.45 <= tree.cpu_seconds() <= 1.0
        assert len(tree.processes()) == 1


def test_the_machine_is_at_least_as_busy_as_one_of_its_processes() -> None:
    """What a process spends is part of what the machine does, and no more than all processors can do is counted."""
    before, began = machine_cpu_seconds(), time.perf_counter()
    with running(child(_WORK)) as tree:
        spent = tree.cpu_seconds()
    busy = machine_cpu_seconds() - before
    assert spent - 0.1 <= busy <= (time.perf_counter() - began) * (os.cpu_count() or 1) + 0.1


def test_waiting_costs_nothing() -> None:
    """Processor time is told from time on the clock."""
    with running() as tree:
        before = tree.cpu_seconds()
        time.sleep(0.3)
        assert tree.cpu_seconds() - before <= 0.05


def test_memory_of_children_counts() -> None:
    """Fifty megabytes in a child are fifty more of the tree."""
    with running(child("pass")) as tree:
        without = tree.resident_mb()
    with running(child(_HOLD)) as tree:
        assert tree.resident_mb() - without == pytest.approx(50, abs=5)
        assert sum(tree.resident_mb_by_process().values()) >= tree.resident_mb()


def test_pages_of_a_file_that_two_map_count_once() -> None:
    """Of a library that two processes share, the most that one has in memory counts; their own pages all count."""
    first = [Mapping("/lib/tensorflow.so", 10, 300), Mapping("[heap]", 40, 0)]
    second = [Mapping("/lib/tensorflow.so", 5, 200), Mapping("/lib/other.so", 0, 7), Mapping("[anon]", 20, 3)]
    assert resident_bytes([first]) == 350
    assert resident_bytes([first, second]) == 10 + 40 + 5 + 20 + 3 + 300 + 7


def test_a_file_mapped_in_parts_counts_whole() -> None:
    """Parts of one file are different pages, so they add up within a process."""
    assert resident_bytes([[Mapping("/lib/a.so", 0, 100), Mapping("/lib/a.so", 0, 50)]]) == 150


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (["/venv/bin/python", "-m", "graft", "modelserver", "--port=0"], "graft modelserver"),
        (["/venv/bin/python", "-m", "benchmarks.serving.tutorial_service", "folder", "1"], "tutorial_service"),
        (["/venv/bin/python3.11", "/venv/bin/graft", "up", "--port=0"], "graft up"),
        (["/venv/bin/python", "/venv/bin/uvicorn", "app:app"], "uvicorn"),
        (["/venv/bin/python", "-c", "pass"], "python"),
        (["/usr/bin/sleep", "5"], "sleep"),
        ([], "?"),
    ],
)
def test_a_process_is_named_by_what_it_does(command: list[str], role: str) -> None:
    """The verb of `graft` or the module tells processes of one tree apart."""
    assert role_of(command) == role
