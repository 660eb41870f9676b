"""A command on a terminal of its own, with a person who reads and presses Ctrl-C."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.command import START_SECONDS, STOP_SECONDS, environment

_ON_TERMINAL = (
    "import os, pty, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # nohup ignores it
    "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
)
_CTRL_C = b"\x03"


@dataclass
class Terminal:
    """What a command shows, and how it ends."""

    process: "subprocess.Popen[bytes]"
    shown: bytearray = field(default_factory=bytearray)
    more: threading.Condition = field(default_factory=threading.Condition)

    @property
    def text(self) -> str:
        """All that was shown so far."""
        return self.shown.decode().replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Wait until a line of what is shown begins with a pattern and has ended, and return the match."""
        line = re.compile(f"^{pattern}.*\n", re.MULTILINE)
        with self.more:
            assert self.more.wait_for(lambda: line.search(self.text), START_SECONDS), self.text
        found = line.search(self.text)
        assert found
        return found

    def press_ctrl_c(self) -> int:
        """Press Ctrl-C, which every process of the foreground gets, and return the exit code."""
        assert self.process.stdin
        self.process.stdin.write(_CTRL_C)
        self.process.stdin.flush()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def on_terminal(*arguments: str | Path) -> Iterator[Terminal]:
    """Run `graft` on a terminal until the `with` ends."""
    command = [sys.executable, "-c", _ON_TERMINAL, sys.executable, "-m", "graft", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment()
    ) as process:
        terminal = Terminal(process)
        reader = threading.Thread(target=_read, args=[terminal])
        reader.start()
        try:
            yield terminal
        finally:
            process.kill()  # the terminal then hangs up
            process.wait(STOP_SECONDS)
            reader.join()


def _read(terminal: Terminal) -> None:
    assert terminal.process.stdout
    while piece := terminal.process.stdout.read(4096):
        with terminal.more:
            terminal.shown += piece
            terminal.more.notify_all()
