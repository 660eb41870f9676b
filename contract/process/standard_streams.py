"""Standard output and error of a server: writing to them never blocks and never fails.

A full disk raises in whatever writes a line, and a pipe that is not read stops it for ever. So a thread writes, from a
bounded queue; what does not fit or cannot be written is dropped and counted. The standard library's QueueHandler is
for `logging` only, and its listener is waited for without a limit; here everything that Python writes takes the same
way, in its order: log lines, `print`, warnings and the tracebacks of threads.
"""

import contextlib
import io
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO, cast

_QUEUE_BYTES = 2**20
_FLUSH_SECONDS = 2.0
_GATHER_SECONDS = 0.05
"""After the queue was emptied; the lines of a busy moment are then written together, in one thread switch."""


class QueuedStream(io.TextIOBase):
    """A stream of text whose writes return at once; a thread writes to the file descriptor `target`.

    `dropped` counts the lines that were lost because the queue was full or writing failed. Where lines are missing,
    the line `notice` makes of their number is written. `number` is the descriptor that the stream stands for.
    """

    def __init__(self, target: int, number: int, notice: Callable[[int], str]) -> None:
        self.dropped = 0
        self._target = target
        self._number = number
        self._notice = notice
        self._is_terminal = os.isatty(target)
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._overflowed = False
        self._told = 0  # of `dropped`
        self._torn = False
        self._closing = False
        # signal handlers and finalizers may write while their thread is writing
        self._changed = threading.Condition(threading.RLock())
        self._room = select.poll()
        self._room.register(target, select.POLLOUT)
        self._thread = threading.Thread(target=self._run, name=f"standard-stream-{number}", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """UTF-8; what it cannot encode is written as an escape."""
        return "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the lines are shown on a terminal."""
        return self._is_terminal

    def fileno(self) -> int:
        """Return the descriptor that the stream stands for, for native code and child processes."""
        return self._number

    def write(self, text: str) -> int:
        """Queue text; once some was dropped, all is until the queue is empty, so that the gap is in one place."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._closing or self._overflowed or self._size + len(data) > _QUEUE_BYTES:
                self._overflowed = True
                self.dropped += data.count(b"\n")
            else:
                self._queue.append(data)
                self._size += len(data)
                self._changed.notify()
        return len(text)

    def finish(self) -> bool:
        """Write what is queued, for two seconds at most; return whether that was enough. Later lines are dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_FLUSH_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while piece := self._take():
            self._put(*piece)
            if not self._queue and not self._closing:
                time.sleep(_GATHER_SECONDS)

    def _take(self) -> tuple[bytes, bytes, int] | None:
        """Wait for lines; return a notice or nothing, lines, and how many were dropped so far. None: it is over.

        The lines fit what is written to a pipe at once, so that processes that share one do not split them.
        """
        with self._changed:
            while not (self._queue or self._overflowed or self._closing):
                self._changed.wait()
            if not self._queue:
                if not self._overflowed:
                    return None
                self._overflowed = False
            missing = 0 if self._overflowed else self.dropped - self._told
            notice = f"{self._notice(missing)}\n".encode() if missing else b""
            lines = [self._queue.popleft()] if self._queue else []
            size = len(notice) + sum(map(len, lines))
            while self._queue and size + len(self._queue[0]) <= select.PIPE_BUF:
                lines.append(self._queue.popleft())
                size += len(lines[-1])
            self._size -= size - len(notice)
            return notice, b"".join(lines), self._told + missing

    def _put(self, notice: bytes, lines: bytes, told: int) -> None:
        data = (b"\n" if self._torn else b"") + notice + lines
        done = 0
        try:
            while done < len(data):
                done += self._write_some(data[done:])
        except OSError:  # a full disk, a closed pipe: there is nowhere to say it but in `dropped`
            with self._changed:
                self.dropped += data[max(done, len(data) - len(lines)) :].count(b"\n")
            self._torn = data[done - 1 : done] != b"\n" if done else self._torn
        else:
            self._told = told
            self._torn = False

    def _write_some(self, data: bytes) -> int:
        while True:
            try:
                return os.write(self._target, data)
            except BlockingIOError:
                self._room.poll()


def dropped_lines() -> int:
    """Return how many lines of standard error were dropped so far."""
    return sys.stderr.dropped if isinstance(sys.stderr, QueuedStream) else 0


@contextlib.contextmanager
def queued_standard_streams(notice: Callable[[int], str]) -> Iterator[None]:
    """Let standard output and error never block, never fail and never be missing; at the end, flush them briefly.

    `notice` makes a line of the number of lines that were dropped. Streams that stand for no file stay as they are.
    Pipes and terminals are opened anew, so that native code does not block on them either: it loses what does not
    fit. If both streams are one file, lines stay in order between them, too.
    """
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        error = stack.enter_context(_queued(sys.stderr, 2, notice))
        same = _same_file(before)
        output = error if same else stack.enter_context(_queued(sys.stdout, 1, notice))
        sys.stdout, sys.stderr = output, error
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _same_file(streams: tuple[TextIO | None, TextIO | None]) -> bool:
    try:
        first, second = (os.fstat(stream.fileno()) for stream in streams if stream is not None)
    except (OSError, ValueError):  # closed, missing, or not a file
        return False
    return os.path.samestat(first, second)


@contextlib.contextmanager
def _queued(stream: TextIO | None, number: int, notice: Callable[[int], str]) -> Iterator[TextIO]:
    """Yield a queued stream for a standard stream; None is one that was closed when the process began."""
    try:
        original = _kept(stream, number)
    except io.UnsupportedOperation:
        yield cast("TextIO", stream)
        return
    number = stream.fileno() if stream is not None else number
    target = _without_blocking(original)
    if target != original:
        os.dup2(target, number)
    queued = QueuedStream(target, number, notice)
    try:
        yield cast("TextIO", queued)
    finally:
        if queued.finish():
            if target != original:
                os.dup2(original, number)
                os.close(target)
            os.close(original)


def _kept(stream: TextIO | None, number: int) -> int:
    """Return another descriptor of a stream's file, which stays if native code redirects the first.

    Raises:
        UnsupportedOperation: the stream stands for no file.
    """
    if stream is not None:
        with contextlib.suppress(OSError):  # what it held cannot be written
            stream.flush()
        return os.dup(stream.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(number)
    except OSError:  # or the next connection would take the number, and get what native code writes
        os.dup2(nowhere, number)
    return nowhere


def _without_blocking(descriptor: int) -> int:
    """Return a pipe or terminal opened anew, which does not block, or else the descriptor itself.

    The flag belongs to what was opened, which other processes share; so it must not be set on the descriptor.
    """
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
        return descriptor
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # another system, or another user's; then the thread blocks, and no one else
        return descriptor
