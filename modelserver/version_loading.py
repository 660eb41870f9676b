"""From a version's folder to a model that is ready to be served."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from contract.versions import WARMUP
from modelserver.loaded_model import LoadedModel
from modelserver.metrics import Metrics
from modelserver.warmup import replay_warmup


def load_version(folder: Path, metrics: Metrics, *, warm_up: bool) -> LoadedModel:
    """Load the version in `folder`, and replay the requests that travel with it if `warm_up`.

    Raises:
        LoadError: it cannot be loaded, or a warm-up record does not fit it.
    """
    if gc.get_freeze_count():  # as `modelserver.server.main` has it, for else this would take a second
        gc.collect()  # models are cycles of objects, and those that were replaced may be large
    with _timed(lambda seconds, ok: metrics.count_load(folder, seconds, ok=ok)):
        model = LoadedModel.load(folder, on_run=metrics.count_run)
    if warm_up and (folder / WARMUP).exists():
        with _timed(lambda seconds, ok: metrics.count_warmup(folder, seconds, ok=ok)):
            replay_warmup(model, folder)
    return model


@contextlib.contextmanager
def _timed(count: Callable[[float, bool], None]) -> Iterator[None]:
    started = time.monotonic()
    ok = False
    try:
        yield
        ok = True
    finally:
        count(time.monotonic() - started, ok)
