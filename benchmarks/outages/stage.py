"""What every scenario is played with: a folder, published versions, images, and a context that ends what it starts."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """`stack` ends with the scenario. `folder` is its own; `version` is a good one; `rate` is images a second."""

    stack: ExitStack
    folder: Path
    name: str
    version: Path
    images: Sequence[bytes]
    rate: float
    factor: float
