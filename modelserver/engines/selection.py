"""Which engine runs a version's network: TensorFlow, or LiteRT where the version has a network for it and gains."""

import gc
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contract.process.freed_memory import give_back_freed_memory
from contract.signatures import SERVING_PIXELS
from contract.versions import LITERT_NETWORK
from modelserver.engines.graphs.session import GraphSession
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.litert.row_threads import RowThreads
from modelserver.engines.litert.threads import EngineThreads
from modelserver.errors import LoadError, ServingError
from modelserver.model.version import Model
from modelserver.settings import ModelServerSettings

if TYPE_CHECKING:
    from modelserver.engines.litert.image_decoder import DecoderCounts
    from modelserver.engines.litert.model import LitertModel

logger = logging.getLogger(__name__)

_INPUT, _OUTPUT = "pixels", "probabilities"
_ROWS = 4
"""In a batch of TensorFlow's, where rows are cheaper together; more than 8 are not cheaper still."""
_RUNS = 6
_SLOWER_AT_MOST = 1.2
"""How much longer LiteRT may take: TensorFlow costs 440 MB of memory and some ten seconds at the start."""

OnRun = Callable[[float], None]


class Engines:
    """Loads versions as the settings' `engine` says.

    With `auto` LiteRT takes a version that has a network for it. Where TensorFlow's library has to decode its images
    all the same, a short measurement shows, for the first such version of each model, whether LiteRT is much slower on
    this machine, and then TensorFlow takes it; what LiteRT cannot load, TensorFlow runs, and the log says why.
    `counts` hears which decoder each version has. `start_tensorflow` is called before TensorFlow is imported. To be
    made by a thread of normal priority: see `RowThreads`.
    """

    def __init__(
        self,
        settings: ModelServerSettings,
        start_tensorflow: Callable[[], None] = lambda: None,
        counts: "DecoderCounts | None" = None,
    ) -> None:
        self._counts = counts
        self._engine = settings.engine
        self._threads = EngineThreads.for_this_machine(
            settings.tensorflow_intra_op_parallelism, settings.tensorflow_inter_op_parallelism
        )
        self._rows = RowThreads(self._threads.rows_at_a_time)
        self._start_tensorflow = start_tensorflow
        self._litert_is_fast_enough: dict[Path, bool] = {}
        """The results of measurements, by base path."""

    def load(self, folder: Path, on_run: OnRun = lambda _: None) -> Model:
        """Load the version in `folder`; `on_run` gets the seconds of each run that goes well.

        Raises:
            LoadError: it cannot be loaded, or not by the engine of the settings.
        """
        if self._engine == "litert":
            return self._by_litert(folder, on_run)
        if self._engine == "tensorflow" or not (folder / LITERT_NETWORK).is_file():
            return self._by_tensorflow(folder, on_run)
        try:
            model = self._by_litert(folder, on_run)
            is_fast_enough = self._needs_no_tensorflow(model, folder) or self._is_fast_enough(model, folder)
        except ServingError as error:
            logger.warning("%s version %s is run by TensorFlow: %s", folder.parent.name, folder.name, error)
            return self._by_tensorflow(folder, on_run)
        return model if is_fast_enough else self._by_tensorflow(folder, on_run)

    @staticmethod
    def _needs_no_tensorflow(model: "LitertModel", folder: Path) -> bool:
        """Return whether TensorFlow would have to be loaded for the comparison alone."""
        if not model.needs_tensorflow:
            logger.info("%s is run by LiteRT, without a comparison: it needs no TensorFlow", folder.parent.name)
        return not model.needs_tensorflow

    def _is_fast_enough(self, model: Model, folder: Path) -> bool:
        """Return the result for the version's model, measured if it is the first."""
        if folder.parent not in self._litert_is_fast_enough:
            self._litert_is_fast_enough[folder.parent] = _is_fast_enough(model, folder)
            give_back_freed_memory()  # of TensorFlow's network
        return self._litert_is_fast_enough[folder.parent]

    def _by_litert(self, folder: Path, on_run: OnRun) -> "LitertModel":
        try:
            from modelserver.engines.litert.model import LitertModel  # noqa: PLC0415 - which loads LiteRT
        except (ImportError, OSError) as error:  # OSError: out of descriptors, or a file that is there cannot be read
            raise LoadError(f"LiteRT cannot be imported: {error}.") from error
        try:
            return LitertModel.load(folder, self._threads, self._rows, on_run, self._counts)
        finally:
            give_back_freed_memory()  # of each thread that loaded a version, or of the version before

    def _by_tensorflow(self, folder: Path, on_run: OnRun) -> Model:
        try:
            self._start_tensorflow()
            from modelserver.engines.tensorflow.model import TensorFlowModel  # noqa: PLC0415 - which imports TensorFlow
        except (ImportError, OSError) as error:
            raise LoadError(f"TensorFlow cannot be imported: {error}.") from error
        if gc.get_freeze_count():  # else this would take a second
            gc.collect()  # models are cycles of objects, and those that were replaced may be large
        try:
            return TensorFlowModel.load(folder, on_run)
        finally:
            give_back_freed_memory()  # half a gigabyte after the import and the first version


def _is_fast_enough(model: Model, folder: Path) -> bool:
    """Return whether LiteRT needs not much more processor time for an image than TensorFlow, each with one thread.

    The least of several runs counts; the first prepares the operations.

    Raises:
        ServingError: LiteRT cannot run the network.
    """
    shape = [dim.size for dim in model.signatures[SERVING_PIXELS].inputs[_INPUT].tensor_shape.dim]
    pixels = np.zeros([_ROWS, *shape[1:]], np.uint8)
    one = pixels[:1]  # of more rows, several threads would share the work

    def run_litert() -> object:
        return model.run(SERVING_PIXELS, {_INPUT: one})

    run_litert()
    try:
        session = GraphSession(SavedGraphs(folder).cut_out(SERVING_PIXELS))
        # in turns, so that what else the machine does meets both
        seconds = [
            (_seconds(run_litert), _seconds(lambda: session.run({_INPUT: pixels}, [_OUTPUT])) / _ROWS)
            for _ in range(_RUNS)
        ]
    except ServingError as error:  # such as weights that TensorFlow would have to restore first
        logger.info("%s is run by LiteRT, without a comparison: %s", folder.parent.name, error)
        return True
    by_litert, by_tensorflow = min(mine for mine, _ in seconds), min(its for _, its in seconds)
    takes_litert = is_worth_it(by_litert, by_tensorflow)
    engine = "LiteRT" if takes_litert else "TensorFlow"
    logger.info(
        "%s is run by %s: an image takes LiteRT %.1f ms of processor time and TensorFlow %.1f ms",
        *(folder.parent.name, engine, by_litert * 1e3, by_tensorflow * 1e3),
    )
    return takes_litert


def is_worth_it(by_litert: float, by_tensorflow: float) -> bool:
    """Return whether LiteRT is taken, which saves memory and time at the start, for what an image takes by each."""
    return by_litert < _SLOWER_AT_MOST * by_tensorflow


def _seconds(run: Callable[[], object]) -> float:
    """Return the processor time of a run: the clock would also count what else runs on the processor."""
    started = time.process_time()
    run()
    return time.process_time() - started
