"""The folder of a run while it is trained: created, locked, reopened, and completed in one step."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from contract.manifest import BaseWeights
from contract.storage.unwritable import why_unwritable
from trainer.config import TrainingConfig
from trainer.errors import RunNotFoundError, StorageError
from trainer.runs.record import CHECKPOINT, CONFIG, RECORD, RunRecord
from trainer.runs.room import NOT_BEGUN
from trainer.runs.unfinished import find_unfinished
from trainer.training.checkpoint import Checkpoint

_START, _WEIGHTS = "start.json", "start.npz"


class Start(BaseModel):
    """What a run started with, besides its settings and weights."""

    model_config = ConfigDict(frozen=True)

    name: str
    started: datetime
    data: Path
    dataset_digest: str
    base_weights: BaseWeights


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that this process alone trains."""

    path: Path
    start: Start

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the run."""
        return Checkpoint(self.path / CHECKPOINT)

    def first_weights(self) -> list[npt.NDArray[Any]]:
        """Read the weights that the whole model started with."""
        with np.load(self.path / CHECKPOINT / _WEIGHTS) as content:
            return [content[name] for name in sorted(content.files)]

    def complete(self, record: RunRecord, texts: Mapping[str, str]) -> None:
        """Write the last files, and the record after all others: a folder with a record is complete."""
        for name, text in texts.items():
            (self.path / name).write_text(text)
        unfinished = self.path / f".{RECORD}"
        unfinished.write_text(record.model_dump_json(indent=2) + "\n")
        _force_to_disk(self.path)
        unfinished.rename(self.path / RECORD)
        _force_to_disk(self.path)
        shutil.rmtree(self.path / CHECKPOINT)


@contextmanager
def begun_run(runs: Path, start: Start, config: TrainingConfig, weights: list[npt.NDArray[Any]]) -> Iterator[RunFolder]:
    """Create the folder of a new run with all that resuming needs; it is locked within the `with`.

    Raises:
        StorageError: it cannot be written; nothing of it is left.
    """
    identity = f"{start.started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}-{start.name}"
    path = runs / identity
    needed = sum(value.nbytes for value in weights)
    with _written_or_removed(path, needed):
        (path / CHECKPOINT).mkdir(parents=True)
        (path / CONFIG).write_text(config.to_toml())
        named: dict[str, Any] = {f"{index:05d}": value for index, value in enumerate(weights)}
        np.savez(path / CHECKPOINT / _WEIGHTS, allow_pickle=False, **named)
        (path / CHECKPOINT / _START).write_text(start.model_dump_json(indent=2) + "\n")
    with _locked(path):
        yield RunFolder(path, start)


@contextmanager
def reopened_run(name: str, runs: Path) -> Iterator[RunFolder]:
    """Open the folder of an interrupted run, given as `find_unfinished` takes it; locked within the `with`.

    Raises:
        RunNotFoundError: it does not exist, it is finished, or another process is training it.
    """
    path = find_unfinished(name, runs)
    with _locked(path):
        try:
            start = Start.model_validate_json((path / CHECKPOINT / _START).read_bytes())
        except OSError as error:
            raise RunNotFoundError(
                f"The run {path} was interrupted before its first epoch; start it again with graft train."
            ) from error
        yield RunFolder(path, start)


def now() -> datetime:
    """Return the time, UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def to_json(values: Any) -> str:
    """Return indented JSON; raises ValueError for NaN."""
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


@contextmanager
def _written_or_removed(path: Path, needed: int) -> Iterator[None]:
    """Leave no half of a run that nobody could resume."""
    try:
        yield
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise StorageError(f"{why_unwritable(error, path.parent, needed)}; {NOT_BEGUN}.") from error
    except BaseException:  # such as Ctrl-C
        shutil.rmtree(path, ignore_errors=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go when the process ends
        yield
    except BlockingIOError as error:
        raise RunNotFoundError(f"The run {path} is being trained by another process.") from error
    finally:
        os.close(descriptor)


def _force_to_disk(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        if path.is_file() or path == folder:
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
