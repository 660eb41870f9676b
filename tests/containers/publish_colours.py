"""Publishes a small model of three colours under a folder, without training: `python -m … FOLDER`.

A process of its own, so that whoever collects the tests does not import TensorFlow.
"""

import sys
from pathlib import Path

from exporter.export import export
from tests.exporter.runs import small_run
from trainer.progress import Progress

MODEL = "colours"


def main(folder: Path) -> None:
    """Write `FOLDER/models/colours/1`."""
    export(small_run(folder), folder / "models", Progress())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
