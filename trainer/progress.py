"""Progress of training, and how the terminal shows it."""

import sys
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from contract.old_names import READS_OLD_NAMES
from contract.plain_text import plain_text

PhaseName = Literal["phase_one", "phase_two", "from_scratch"]
_TITLES = {"phase_one": "phase one", "phase_two": "phase two", "from_scratch": "from scratch"}


@dataclass(frozen=True)
class Epoch:
    """One finished pass over the training images; losses are cross-entropies in nats.

    `unfrozen_layers` of the base were trained on `images` in `seconds`, without validation.
    """

    phase: PhaseName
    number: int
    of: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float = 0.0
    unfrozen_layers: int = 0
    images: int = 0
    seconds: float = 0.0

    __pydantic_config__: ClassVar[ConfigDict] = READS_OLD_NAMES  # it is stored in checkpoints


class Progress:
    """Receives the progress of a run; this class ignores it."""

    def on_note(self, text: str) -> None:
        """Receive one line for the user; a line end in it is part of a name."""

    def on_work(self, title: str, steps: int) -> None:
        """Receive the start of some work of `steps` steps; it ends the work before it."""

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Receive the start of a phase of at most `epochs` epochs; a resumed run has `done` some already."""

    def on_step(self, steps: int = 1) -> None:
        """Receive that steps were completed."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Receive a completed epoch."""


class RateColumn(ProgressColumn):
    """Steps per second; empty until they are known."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task as text."""
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.0f}/s" if task.speed >= 10 else f"{task.speed:.1f}/s")


class TerminalProgress(Progress):
    """Writes a line per epoch and, on a terminal, a progress bar. Use it in a `with`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        shown = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
        )
        self._bars = Bars(
            *shown, TimeRemainingColumn(), console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._task: TaskID | None = None
        self._epoch_titles: list[str] = []
        self._steps_per_epoch = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def on_note(self, text: str) -> None:
        """Write the line."""
        self._console.print(Text(plain_text(text)))  # as a str, `:star:` in a name would become a star

    def on_work(self, title: str, steps: int) -> None:
        """Show a bar of `steps` steps."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(plain_text(title), total=steps)

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Show a bar for each of the coming epochs."""
        self._epoch_titles = [f"{_TITLES[phase]}, epoch {n} of at most {epochs}" for n in range(done + 1, epochs + 1)]
        self._steps_per_epoch = steps_per_epoch
        self._next_epoch()

    def on_step(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, steps)

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the epoch's losses and accuracies."""
        self._console.print(
            f"  {_TITLES[epoch.phase]} {epoch.number:>2}/{epoch.of}"
            f"   train loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.3f}"
            f"   validation loss {epoch.val_loss:.3f}, accuracy {epoch.val_accuracy:.3f}"
        )
        self._next_epoch()

    def _next_epoch(self) -> None:
        if self._epoch_titles:
            self.on_work(self._epoch_titles.pop(0), self._steps_per_epoch)
