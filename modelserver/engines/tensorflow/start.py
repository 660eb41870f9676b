"""TensorFlow, for versions that need all of it: started when the first of them is loaded."""

import gc
import threading
from collections.abc import Callable

from modelserver.settings import ModelServerSettings


class TensorFlowStart:
    """Imports TensorFlow and starts its threads once, in a thread that was made here.

    Threads inherit the priority of the thread that starts them, and versions are loaded in one of low priority; so this
    has to be made in a thread of normal priority. `start` imports TensorFlow.
    """

    def __init__(self, settings: ModelServerSettings, start: Callable[[], None]) -> None:
        self._settings = settings
        self._start = start
        self._wanted, self._done = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="tensorflow-start", daemon=True).start()

    def ensure(self) -> None:
        """Start it unless that was done, and wait until it is.

        Raises:
            ImportError: it is not installed, or not completely.
            OSError: one of its files cannot be read.
        """
        self._wanted.set()
        self._done.wait()
        if self._error:
            raise self._error

    def _run(self) -> None:
        self._wanted.wait()
        try:
            self._start()
            from modelserver.engines.tensorflow.threads import start_graph_threads  # noqa: PLC0415 - imports TensorFlow

            settings = self._settings
            start_graph_threads(settings.tensorflow_intra_op_parallelism, settings.tensorflow_inter_op_parallelism)
            # its own objects: each look through them took 0.6 to 1.2 s, and no request was served meanwhile
            gc.freeze()
        except (ImportError, OSError) as error:
            self._error = error
        finally:
            self._done.set()
