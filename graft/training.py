"""The verb `train`."""

import re
from pathlib import Path
from typing import Any

from graft.errors import CommandError
from trainer.config import parse_assignment, read_config
from trainer.progress import TerminalProgress

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run_training(
    data: Path, name: str, config: Path | None, given: dict[str, Any], assignments: list[str] | None, runs: Path
) -> None:
    """Train on `data` and say how good the model is; `given` and `assignments` override the file.

    Raises:
        CommandError: the name cannot be that of a folder and of a model.
        TrainerError: the training cannot be done.
    """
    if not _NAME.fullmatch(name):
        raise CommandError(f"--name may have letters, digits, '.', '_' and '-'; {name!r} was given.")
    overrides = dict(parse_assignment(text) for text in assignments or [])
    settings = read_config(config, {**given, **overrides})
    with TerminalProgress() as progress:
        progress.on_work("starting TensorFlow", 1)
        from trainer.train import train  # takes seconds, which a misspelled option should not cost

        run = train(data, name, settings, runs, progress)
        test = run.record.metrics["test"]
        progress.on_note(
            f"Test accuracy {test['accuracy']:.3f} on {test['pictures']} pictures. Saved {run.folder}\n"
            f"Next: graft export {run.record.id}"
        )
