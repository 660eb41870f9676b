"""The checkpoint of a run after its last whole epoch, from which `graft train --resume` continues."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from contract.storage.unwritable import why_unwritable
from trainer.errors import StorageError
from trainer.progress import Epoch
from trainer.runs.record import GateOutcome
from trainer.training.stages import Score, StageOutcome, TrainingStage

Arrays = dict[str, list[npt.NDArray[Any]]]
"""Lists of arrays by name: the weights and the optimizer's variables."""

_FILE, _POSITION = "epoch.npz", "position"


class StagePosition(BaseModel):
    """The position in a stage; `waited` and `plateau_waited` count epochs without a better validation loss."""

    model_config = ConfigDict(frozen=True)

    stage: TrainingStage
    epoch: int = 0
    before: Score | None = None
    best: Score | None = None
    lowest_loss: float | None = None
    waited: int = 0
    plateau_waited: int = 0
    learning_rate: float
    ended: Literal["", "no longer better", "out of epochs", "diverged"] = ""
    remark: str = ""


class Position(BaseModel):
    """The position in a run: all epochs so far, the stages that have ended, and the current one."""

    model_config = ConfigDict(frozen=True)

    epochs: tuple[Epoch, ...] = ()
    outcomes: tuple[StageOutcome, ...] = ()
    gate: GateOutcome | None = None
    stage: StagePosition | None = None


@dataclass(frozen=True)
class Checkpoint:
    """The file in `folder` with a position and its arrays; replaced atomically, so that it is always complete."""

    folder: Path

    def save(self, position: Position, arrays: Mapping[str, list[npt.NDArray[Any]]]) -> None:
        """Replace the saved position and arrays.

        Raises:
            StorageError: there is no room for them, or the folder cannot be written; those saved last are still there.
        """
        named: dict[str, Any] = {
            f"{name}/{index:05d}": value for name, values in arrays.items() for index, value in enumerate(values)
        }
        text = np.frombuffer(position.model_dump_json().encode(), np.uint8)
        unfinished = self.folder / f".{_FILE}"
        try:
            with unfinished.open("wb") as file:
                np.savez(file, allow_pickle=False, **{_POSITION: text}, **named)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.folder / _FILE)
        except OSError as error:
            with contextlib.suppress(OSError):  # as where it could not be made
                unfinished.unlink()
            needed = sum(value.nbytes for value in named.values()) + text.nbytes
            raise StorageError(f"{why_unwritable(error, self.folder.parent, needed)}.") from error

    def load(self) -> tuple[Position, Arrays]:
        """Read what was saved last; an empty position if there is nothing."""
        file = self.folder / _FILE
        if not file.is_file():
            return Position(), {}
        with np.load(file) as content:
            arrays: Arrays = {}
            for name in sorted(set(content.files) - {_POSITION}):
                arrays.setdefault(name.split("/")[0], []).append(content[name])
            return Position.model_validate_json(content[_POSITION].tobytes()), arrays
