"""Running a function where nothing has happened yet."""

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def in_fresh_process(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call `function` in a new Python process and return its result, or raise what it raised."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_leave_interrupt_to_parent) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _leave_interrupt_to_parent() -> None:
    # Ctrl-C reaches every process of the terminal; one traceback a process would bury the parent's one line
    signal.signal(signal.SIGINT, signal.SIG_IGN)
