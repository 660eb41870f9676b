"""Learning curves for TensorBoard."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tensorflow as tf

from trainer.errors import ConfigurationError
from trainer.progress import Epoch, PhaseName, Progress
from trainer.runs.full_disk import full_disk_as_os_error


class TensorBoardLogs(Progress):
    """Forwards progress, and writes each epoch to `folder`; epochs are numbered through all phases.

    Raises:
        ConfigurationError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, receiver: Progress, epochs_before: int) -> None:
        self._receiver = receiver
        self._epochs = epochs_before
        try:
            with full_disk_as_os_error():
                self._writers: dict[str, Any] = {
                    name: tf.summary.create_file_writer(str(folder / name)) for name in ("train", "validation")
                }
        except ImportError as error:
            raise ConfigurationError(
                "TensorBoard's logs need the package tensorboard: pip install 'graft-serving[tensorboard]'."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            with full_disk_as_os_error():
                writer.close()

    def on_note(self, text: str) -> None:
        """Forward it."""
        self._receiver.on_note(text)

    def on_work(self, title: str, steps: int) -> None:
        """Forward it."""
        self._receiver.on_work(title, steps)

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Forward it."""
        self._receiver.on_phase(phase, epochs, steps_per_epoch, done)

    def on_step(self, steps: int = 1) -> None:
        """Forward it."""
        self._receiver.on_step(steps)

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the epoch, and forward it."""
        self._epochs += 1
        self._write("train", loss=epoch.loss, accuracy=epoch.accuracy, learning_rate=epoch.learning_rate)
        self._write("validation", loss=epoch.val_loss, accuracy=epoch.val_accuracy)
        self._receiver.on_epoch(epoch)

    def _write(self, name: str, **values: float) -> None:
        with full_disk_as_os_error():
            with self._writers[name].as_default():
                for tag, value in values.items():
                    tf.summary.scalar(tag, value, step=self._epochs)
            self._writers[name].flush()
