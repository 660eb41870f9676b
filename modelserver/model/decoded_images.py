"""Images that were decoded apart from the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modelserver.model.tensors import Array

Pixels = npt.NDArray[np.uint8]
"""[H, W, 3] RGB, of the size that the network takes."""


@dataclass(frozen=True)
class DecodedRow:
    """One row: `pixels` are None where it is not an image; brightness is from 0, black, to 1, white."""

    pixels: Pixels | None
    brightness: float = 0.0


def outputs_of_rows(
    labels: npt.NDArray[np.object_],
    valid: Sequence[bool],
    brightness: Sequence[float],
    probabilities: npt.NDArray[np.float32],
) -> dict[str, Array]:
    """Return the outputs of `serving_default`; see `RowDecoder.outputs`. `labels` are `bytes` in an array [C]."""
    rows = np.array(valid, np.bool_)
    spread = np.zeros((len(rows), len(labels)), np.float32)
    best = np.full(len(rows), b"", np.object_)
    if rows.any():
        spread[rows] = probabilities
        best[rows] = labels[probabilities.argmax(axis=1)]
    return {"probabilities": spread, "label": best, "valid": rows, "brightness": np.array(brightness, np.float32)}


class RowDecoder(Protocol):
    """What a version makes of encoded images before its network, and of probabilities behind it."""

    def checked(self, content: bytes) -> bytes:
        """Return the image, or no bytes for one that is too costly to decode."""

    def pixels_of(self, content: bytes) -> dict[str, Any]:
        """Return the outputs of the signature `pixels_of_image` for one image that was checked.

        Raises:
            BadInputError: it cannot be decoded.
        """

    def decode(self, content: bytes) -> DecodedRow:
        """Return one row, whatever its content is, which was checked."""

    def outputs(
        self, valid: Sequence[bool], brightness: Sequence[float], probabilities: npt.NDArray[np.float32]
    ) -> dict[str, Array]:
        """Return the outputs of `serving_default` for N rows, M of them valid, with probabilities float32 [M, C]."""
