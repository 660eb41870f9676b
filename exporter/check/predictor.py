"""What a check compares: predictors, and what they answer to images."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from exporter.check.images import ImageBatch


@dataclass(frozen=True)
class PredictedBatch:
    """What a predictor said about N images: `probabilities` float32 [N, C], and `valid` bool [N], false where refused.

    `labels` are N names, empty where an image was refused; None from those that know no names. `counts` bool [N] is
    false where a refusal is right, since the version is for a server that does not decode such files; None: all count.
    """

    probabilities: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    labels: tuple[str, ...] | None = None
    counts: npt.NDArray[np.bool_] | None = None


class VersionPredictor(Protocol):
    """One of those that a check compares.

    `name` is what the report calls it. `bound` is how far its probabilities may be from the reference's on the
    version's own fixtures; None where a single image says nothing. `timed` says whether its time for an image means
    anything.
    """

    name: str
    bound: float | None
    timed: bool

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer each image of the batch, in order."""
        ...
