"""Two real runs on drawn images, made once a session: from scratch, then fine-tuned from it."""

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import keras
import pytest

import trainer
from tests.drawn.images import write_classes
from tests.sharing import made_once
from trainer.config import TrainingConfig, read_config
from trainer.progress import Epoch, PhaseName, Progress
from trainer.runs.trained_model import Run
from trainer.train import train

SMALLEST: dict[str, Any] = {
    "model.alpha": 0.1,
    "model.image_size": 32,
    "head.units": [8],
    "head.dropout": [0.1],
    "data.batch_size": 8,
    "phase_one.epochs": 2,
    "phase_two.epochs": 1,
    "phase_two.unfreeze": [8],
    "gate.force": True,
}


class Listening(Progress):
    """Keeps notes and epochs, and for each phase our own frames from `train` to Keras during its first step."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.epochs: list[Epoch] = []
        self.frames: dict[PhaseName, list[str]] = {}
        self._phase: PhaseName | None = None

    def on_note(self, text: str) -> None:
        """Keep the note."""
        self.notes.append(text)

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Know which phase the next steps are of."""
        self._phase = phase

    def on_step(self, steps: int = 1) -> None:
        """Keep the frames of the first training step of a phase: Keras calls back while it trains."""
        if self._phase and self._phase not in self.frames:
            self.frames[self._phase] = own_frames_before_keras()

    def on_epoch(self, epoch: Epoch) -> None:
        """Keep the epoch."""
        self.epochs.append(epoch)


def own_frames_before_keras() -> list[str]:
    """Return the trainer's functions that are on the stack outside of all of Keras's, the outermost first."""
    stack = [frame.f_code for frame, _ in traceback.walk_stack(None)][::-1]
    first_of_keras = next(place for place, code in enumerate(stack) if is_in(keras, code))
    return [code.co_qualname for code in stack[:first_of_keras] if is_in(trainer, code)]


def is_in(package: ModuleType, code: CodeType) -> bool:
    return Path(package.__path__[0]).resolve() in Path(code.co_filename).resolve().parents


@dataclass(frozen=True)
class Trained:
    """A run, what it was made of, and what was heard meanwhile."""

    run: Run
    data: Path
    runs: Path
    config: TrainingConfig
    heard: Listening = field(default_factory=Listening)


def smallest_config(**sections: Any) -> TrainingConfig:
    """Return the settings of the smallest run; `model={"weights": "none"}` changes one."""
    changes = {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
    return read_config(None, SMALLEST | changes)


def run_training(data: Path, name: str, config: TrainingConfig, runs: Path) -> Trained:
    heard = Listening()
    return Trained(train(data, name, config, runs, heard), data, runs, config, heard)


@pytest.fixture(scope="session")
def from_scratch(shared_folder: Path) -> Trained:
    """A run without base weights on 36 images of three colours, one of them broken."""
    return made_once(shared_folder / "from-scratch", _train_from_scratch)


def _train_from_scratch(folder: Path) -> Trained:
    data = write_classes(folder / "colours", per_class=12)
    (data / "red" / "00.jpg").write_bytes(b"broken")
    return run_training(data, "colours", smallest_config(model={"weights": "none"}), folder / "runs")


@pytest.fixture(scope="session")
def fine_tuned(from_scratch: Trained) -> Trained:
    """A run on the same images, fine-tuned from the base of `from_scratch`."""
    settings = SMALLEST | {"model.weights": from_scratch.run.record.id, "tensorboard": True}
    config = read_config(None, settings | {"baselines": ["features", "scratch"]})
    return run_training(from_scratch.data, "grafted", config, from_scratch.runs)
