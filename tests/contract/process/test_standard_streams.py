"""Standard streams of a server: whatever becomes of them, writing neither blocks nor fails, and losses are counted."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.fakes.unread_pipe import unread_pipe
from tests.places import ROOT

WRITES_EVERYTHING = """
import logging, os, sys, threading, warnings
from contract.process.standard_streams import dropped_lines, queued_standard_streams

def fail():
    raise ValueError("in a thread")

with queued_standard_streams("{} lines are missing".format):
    logging.basicConfig(stream=sys.stderr)
    for number in range(4000):
        print("printed", number, "x" * 400)
        logging.warning("logged %d %s", number, "x" * 400)
    logging.warning("%d", "not a number, which logging reports with a traceback")
    warnings.warn("warned")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    for _ in range(100):
        try:
            os.write(2, b"as native code does it" * 180)
        except OSError:
            pass
    dropped = dropped_lines()
sys.exit(7 if dropped else 8)
"""

WRITES_FOR_A_SOCKET = """
import sys
from contract.process.standard_streams import dropped_lines, queued_standard_streams

with queued_standard_streams("{} lines are missing".format):
    for number in range(20_000):
        print(number, "x" * 92, file=sys.stderr)
    dropped = dropped_lines()
sys.exit(7 if dropped else 8)
"""

WRITES_IN_ORDER = """
import sys
from contract.process.standard_streams import queued_standard_streams

with queued_standard_streams("{} lines are missing".format):
    for number in range(2000):
        print(number, file=sys.stdout if number % 2 else sys.stderr)
"""

WRITES_TOO_MUCH = """
import sys
from contract.process.standard_streams import queued_standard_streams

with queued_standard_streams("{} lines are missing".format):
    for number in range(20_000):
        sys.stderr.write(f"{number:06d} {'x' * 92}\\n")
    sys.stdout.write("written\\n")
    for line in sys.stdin:
        sys.stderr.write(line)
"""

WRITES_STEADILY = """
import sys, time
from contract.process.standard_streams import dropped_lines, queued_standard_streams

with queued_standard_streams("{} lines are missing".format):
    for part in range(60):
        for number in range(500):
            sys.stderr.write(f"{500 * part + number:06d} {'x' * 92}\\n")
        time.sleep(0.05)
    dropped = dropped_lines()
sys.exit(7 if dropped else 8)
"""

IS_NOT_HERE = """
import os, socket, sys
from contract.process.standard_streams import queued_standard_streams

with queued_standard_streams("{} lines are missing".format):
    first, second = socket.socketpair()
    print("to nowhere", flush=True)
    print("to nowhere", file=sys.stderr, flush=True)
    os.write(1, b"native")
    os.write(2, b"native")
first.close()
sys.exit(7 if second.recv(100) == b"" else 8)
"""


@contextmanager
def full_disk() -> Iterator[int]:
    """A file on a disk that is full."""
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


@contextmanager
def abandoned_pipe() -> Iterator[int]:
    """A pipe whose reader has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@contextmanager
def lost_terminal() -> Iterator[int]:
    """A terminal that was closed: writing to it is an input/output error."""
    master, slave = os.openpty()
    os.close(master)
    try:
        yield slave
    finally:
        os.close(slave)


def run(code: str, stdout: int, stderr: int | None = None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=stdout, stderr=stderr)


@pytest.mark.parametrize("broken", [unread_pipe, full_disk, abandoned_pipe, lost_terminal])
def test_no_stream_stops_the_process(broken: Callable[[], AbstractContextManager[int]]) -> None:
    """Prints, log lines, warnings, tracebacks and native writes neither stop nor end a process, and are counted."""
    with broken() as stream, run(WRITES_EVERYTHING, stdout=stream, stderr=stream) as process:
        assert process.wait(60) == 7


def test_a_socket_that_nothing_reads_stops_no_python() -> None:
    """A socket, which cannot be opened anew, blocks the thread that writes and nothing else: journals are sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs, run(WRITES_FOR_A_SOCKET, stdout=theirs.fileno(), stderr=theirs.fileno()) as process:
        assert process.wait(60) == 7


def test_closed_streams_are_nowhere() -> None:
    """What is written to streams that were closed at the start goes nowhere, and never into a connection."""
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", IS_NOT_HERE]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 7


def test_lines_stay_in_order_and_arrive_whole(tmp_path: Path) -> None:
    """Lines of both streams into one file are all there at the end, and in the order in which they were written."""
    with (
        (tmp_path / "log").open("wb") as log,
        run(WRITES_IN_ORDER, stdout=log.fileno(), stderr=log.fileno()) as process,
    ):
        assert process.wait(60) == 0
    assert [int(line) for line in (tmp_path / "log").read_text().splitlines()] == list(range(2000))


def test_a_reader_that_returns_reads_how_much_is_missing() -> None:
    """Who reads again finds the oldest lines, then how many were dropped, then the newest; together they are all."""
    with ExitStack() as stack:
        reading, writing = os.pipe()
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", WRITES_TOO_MUCH],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=writing,
            )
        )
        os.close(writing)
        log = stack.enter_context(os.fdopen(reading, "rb"))
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        lines = [log.readline() for _ in range(1000)]
        while b"missing" not in lines[-1]:
            lines.append(log.readline())
        process.stdin.write(b"the newest\n")
        process.stdin.close()
        rest = log.read()
        assert process.wait(60) == 0
    *before, notice = lines
    assert [int(line.split()[0]) for line in before] == list(range(len(before)))
    assert int(notice.split()[0]) == 20_000 - len(before) > 1000
    assert rest == b"the newest\n"


def test_a_reader_that_keeps_up_loses_nothing() -> None:
    """Three megabytes in three seconds, three times what the queue holds, all arrive where the log is read."""
    command = [sys.executable, "-c", WRITES_STEADILY]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        numbers = [int(line.split()[0]) for line in process.stderr]
        assert process.wait(60) == 8
    assert numbers == list(range(30_000))


def test_a_line_arrives_at_once() -> None:
    """When all is well, a line is there before the process does anything else: nothing waits for more lines."""
    code = (
        "import sys\nfrom contract.process.standard_streams import queued_standard_streams\n"
        "with queued_standard_streams(str):\n    print('one')\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
        assert process.poll() is None


def test_a_shared_pipe_keeps_blocking_for_others() -> None:
    """Only the process itself does not block on its pipe: the flag would change it for all that have it."""
    reading, writing = os.pipe()
    code = (
        "import os\nfrom contract.process.standard_streams import queued_standard_streams\n"
        "with queued_standard_streams(str):\n    print(os.get_blocking(1))"
    )
    try:
        with run(code, stdout=writing) as process:
            assert process.wait(60) == 0
        assert os.read(reading, 100) == b"False\n"
        assert fcntl.fcntl(writing, fcntl.F_GETFL) & os.O_NONBLOCK == 0
    finally:
        os.close(reading)
        os.close(writing)
