"""Running a function where nothing has happened yet."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext

from contract.process.native_stderr import discarded_native_stderr
from contract.tensorflow_settings import prepare_tensorflow


@contextmanager
def fresh_process(threads: int = 0) -> Iterator[ProcessPoolExecutor]:
    """Start a new Python process, which gets TensorFlow, and yield what calls functions in it, one after another.

    TensorFlow shares one operation among `threads`, or as many as there are processors where it is 0.
    It starts at once: its first seconds pass while the caller does something else. The `with` ends when it has ended.
    """
    with ProcessPoolExecutor(1, mp_context=_context(), initializer=_begin, initargs=(threads,)) as pool:
        pool.submit(os.getpid)  # nothing: the pool starts no process before it has something to do
        yield pool


def _context() -> BaseContext:
    """Return the fork server where the program has chosen that, else what starts each process from nothing.

    A fork of this process, which other programs may have chosen, would begin with its TensorFlow and its locks.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    return multiprocessing.get_context("forkserver" if chosen == "forkserver" else "spawn")


def _begin(threads: int) -> None:
    # Ctrl-C reaches every process of the terminal; one traceback a process would bury the parent's one line
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare_tensorflow()
    with discarded_native_stderr():  # TensorFlow says there that oneDNN is on, before anything can tell it not to
        import tensorflow as tf  # noqa: PLC0415 - takes seconds, which pass while the parent does something else
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def _end_with_parent() -> None:
    """Wait for the parent's end and end too: one that is killed cannot tell its pool, which would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
