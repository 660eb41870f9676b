"""Several processes on one port: started, replaced when one dies, and stopped together.

Their metrics are added up through files, in prometheus-client's multiprocess mode. Its environment variable has to be
set before a worker imports the library, so each worker is a new interpreter.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from gateway.observability.metric_labels import METRICS_FOLDER
from gateway.observability.process_logs import process_logs
from gateway.settings import Settings
from gateway.worker import Sockets, serve

_logger = logging.getLogger(__name__)

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a random name and is private
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SHORT_LIFE_SECONDS = 1.0
_TICK_SECONDS = 0.5


def serve_with_workers(settings: Settings, sockets: Sockets, on_ready: Callable[[], None]) -> int:
    """Serve with `settings.workers` processes until SIGTERM or SIGINT; `on_ready` is called once one is ready.

    A worker that dies is replaced. Returns 0, or 1 if all workers ended before one was ready.
    """
    with tempfile.TemporaryDirectory(prefix="graft-metrics-", dir=_in_memory()) as folder:
        os.environ[METRICS_FOLDER] = folder
        return _Workers(settings, sockets).run(on_ready)


def _in_memory() -> Path | None:
    """Return a folder that is in memory, if there is one; None is the usual one for temporary files.

    The metrics' files are mapped: on a disk that is full, writing to them ends a worker with SIGBUS.
    """
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) else None


class _Worker(NamedTuple):
    """A running worker; `ready` is kept open because the worker fails if it cannot report that it is ready."""

    process: BaseProcess
    started: float
    ready: Connection


class _Workers:
    def __init__(self, settings: Settings, sockets: Sockets) -> None:
        self._settings = settings
        self._sockets = sockets
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[int, _Worker] = {}
        self._stopping = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Run until all workers have ended; return the exit code."""
        with self._forwarded_signals() as woken:
            ready = [self._start() for _ in range(self._settings.workers)]
            if not self._wait_until_one_is_ready(ready):
                self._end_all(signal.SIGTERM)
                return 1
            on_ready()
            while self._running:
                sentinels = [worker.process.sentinel for worker in self._running.values()]
                wait([woken, *sentinels], timeout=_TICK_SECONDS)  # a signal that reaches another thread wakes nobody
                self._clear(woken)
                if self._stopping:
                    self._sockets.close()  # or the system would go on accepting connections here that nobody serves
                self._replace_the_dead()
        return 0

    def _start(self) -> Connection:
        """Start one worker; return a connection that receives True once the worker is ready."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(self._settings, self._sockets, theirs))
        process.start()
        theirs.close()
        assert process.pid is not None
        self._running[process.pid] = _Worker(process, time.monotonic(), ours)
        return ours

    def _wait_until_one_is_ready(self, ready: list[Connection]) -> bool:
        waiting = list(ready)
        while waiting and not self._stopping:
            for connection in [each for each in wait(waiting, timeout=_TICK_SECONDS) if isinstance(each, Connection)]:
                try:
                    return bool(connection.recv())
                except EOFError:
                    waiting.remove(connection)
        return self._stopping

    def _replace_the_dead(self) -> None:
        for pid, worker in list(self._running.items()):
            process = worker.process
            if process.is_alive():
                continue
            process.join()
            del self._running[pid]
            _forget_metrics(pid)
            if not self._stopping:
                _logger.error("Worker %d ended (exit code %s); starting another.", pid, process.exitcode)
                time.sleep(max(0.0, _SHORT_LIFE_SECONDS - (time.monotonic() - worker.started)))  # or it would spin
                self._start()

    def _end_all(self, number: int) -> None:
        for pid, worker in self._running.items():
            if worker.process.is_alive():
                os.kill(pid, number)
        for worker in self._running.values():
            worker.process.join()
        self._running.clear()

    @contextmanager
    def _forwarded_signals(self) -> Generator[int]:
        """Forward SIGTERM and SIGINT to the workers; yield a file descriptor that becomes readable after a signal."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        os.set_blocking(reading, False)

        def hand_on(number: int, _: object) -> None:
            self._stopping = True
            for pid, worker in self._running.items():
                if worker.process.exitcode is None:
                    os.kill(pid, number)
            os.write(writing, b"!")

        before = {number: signal.signal(number, hand_on) for number in _SIGNALS}
        try:
            yield reading
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    def _clear(self, woken: int) -> None:
        with suppress(BlockingIOError):
            os.read(woken, 4096)


def _work(settings: Settings, sockets: Sockets, ready: Connection) -> None:
    """Run one worker, in its own process."""
    os.setpgid(0, 0)  # Ctrl-C then reaches only the first process, which forwards it once
    with process_logs(settings):
        threading.Thread(target=_end_with_parent, daemon=True).start()
        serve(settings, sockets, lambda _: ready.send(True))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(os.environ[METRICS_FOLDER], ignore_errors=True)  # the parent was killed; it would stay in memory
    os.kill(os.getpid(), signal.SIGTERM)


def _forget_metrics(pid: int) -> None:
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - reads the variable set above

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
