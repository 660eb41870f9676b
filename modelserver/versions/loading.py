"""From a version's folder to a model that is ready to be served."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from contract.versions import WARMUP
from modelserver.engines.selection import Engines
from modelserver.metrics import ModelServerMetrics
from modelserver.model.version import Model
from modelserver.versions.warmup import replay_warmup


def load_version(folder: Path, engines: Engines, metrics: ModelServerMetrics, *, warm_up: bool) -> Model:
    """Load the version in `folder`, and replay its warm-up requests if `warm_up`.

    Raises:
        LoadError: it cannot be loaded, or a warm-up record does not fit it.
    """
    with _timed(lambda seconds, ok: metrics.count_load(folder, seconds, ok=ok)):
        model = engines.load(folder, metrics.count_run)
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
