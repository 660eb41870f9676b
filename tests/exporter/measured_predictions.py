"""What it costs a version to answer, measured where nothing else has happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.saved_model.loading import LoadedVersion
from tests.cpu_time import quiet_cpu_seconds
from tests.exporter.rows import Rows, predict_rows
from tests.peak_memory import peak_mb_above_now

_ATTEMPTS = 3


@dataclass(frozen=True)
class Measured:
    """An answer, by how many megabytes resident memory rose for it, and the processor time it took, in seconds."""

    rows: Rows
    megabytes: float
    seconds: float


def measure_predictions(folder: Path, batches: Mapping[str, list[bytes]], warm_up: list[bytes]) -> dict[str, Measured]:
    """Load the version in `folder`, warm it up with a batch, and ask it about each of `batches`.

    Call it in a fresh process: the memory of one that has grown before shows less.
    """
    version = LoadedVersion(folder)
    for _ in range(_ATTEMPTS):
        predict_rows(version, warm_up)
    return {name: _measure(version, contents) for name, contents in batches.items()}


def _measure(version: LoadedVersion, contents: list[bytes]) -> Measured:
    predictions: list[Rows] = []

    def predict() -> None:
        predictions.append(predict_rows(version, contents))

    megabytes = max(peak_mb_above_now(predict) for _ in range(_ATTEMPTS))
    return Measured(predictions[-1], megabytes, quiet_cpu_seconds(predict, enough=0.1, all_threads=True))
