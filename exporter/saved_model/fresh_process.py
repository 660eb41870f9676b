"""Running a function where nothing has happened yet."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import ParamSpec, TypeVar

from trainer.tensorflow_start import start_tensorflow

_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def fresh_process() -> Iterator[ProcessPoolExecutor]:
    """Start a new Python process, which gets TensorFlow, and yield what calls functions in it, one after another.

    It starts at once: its first seconds pass while the caller does something else. The `with` ends when it has ended.
    """
    with ProcessPoolExecutor(1, mp_context=_context(), initializer=_begin) as pool:
        pool.submit(os.getpid)  # nothing: the pool starts no process before it has something to do
        yield pool


@contextmanager
def in_fresh_process(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Iterator["Future[_T]"]:
    """Call `function` in a new Python process, which has TensorFlow, while the `with` goes on.

    Yields a future whose `result` waits, and returns what the function returned or raises what it raised. The
    `with` ends when the process has.
    """
    with fresh_process() as pool:
        yield pool.submit(function, *args, **kwargs)


def _context() -> BaseContext:
    """Return the fork server where the program has chosen that, else what starts each process from nothing.

    A fork of this process, which other programs may have chosen, would begin with its TensorFlow and its locks.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    return multiprocessing.get_context("forkserver" if chosen == "forkserver" else "spawn")


def _begin() -> None:
    # Ctrl-C reaches every process of the terminal; one traceback a process would bury the parent's one line
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start_tensorflow()


def _end_with_parent() -> None:
    """Wait for the parent's end and end too: one that is killed cannot tell its pool, which would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
