"""Whether runs can be written where they should be; asked before anything takes long, and without TensorFlow."""

import tempfile
from pathlib import Path

from contract.storage.unwritable import too_little_room, why_unwritable
from trainer.errors import StorageError

NOT_BEGUN = "no run was begun, so there is nothing for --resume: make room, or give another folder with --runs"


def check_room(runs: Path, needed: int = 0) -> None:
    """See, before anything takes long, that runs can be written to `runs`, and that it has `needed` bytes.

    Raises:
        StorageError: it cannot be written, or has not.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs):
            pass
    except OSError as error:
        raise StorageError(f"{why_unwritable(error, runs)}; {NOT_BEGUN}.") from error
    if short := too_little_room(runs, needed):
        raise StorageError(f"{short} for checkpoints and the model; {NOT_BEGUN}.")
