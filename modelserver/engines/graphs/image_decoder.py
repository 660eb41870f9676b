"""Images to pixels by the version's own graph, apart from its network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contract.image_cost.check import why_costly
from contract.signatures import IMAGE_INPUT, PIXELS_OF_IMAGE
from contract.versions import LABELS
from modelserver.engines.graphs.session import GraphSession
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.errors import BadInputError, GraphError, LoadError
from modelserver.model.decoded_images import DecodedRow, outputs_of_rows
from modelserver.model.tensors import Array

_OUTPUTS = ("pixels", "valid", "brightness")


class GraphImageDecoder:
    """The signature `pixels_of_image` of the version in `folder`, in the thread that calls; safe to use from several.

    Raises:
        LoadError: the version has no such signature.
        OSError: its labels cannot be read.
    """

    def __init__(self, folder: Path, graphs: SavedGraphs) -> None:
        graph = graphs.cut_out(PIXELS_OF_IMAGE)
        if missing := set(_OUTPUTS) - set(graph.outputs):
            raise LoadError(f"{PIXELS_OF_IMAGE} has no {', '.join(sorted(missing))}; export the run again.")
        self._session = GraphSession(graph, optimize=False)
        self.labels = read_labels(folder)

    def checked(self, content: bytes) -> bytes:
        """Return the image, or no bytes, which are not valid, for one that is too costly to decode."""
        return b"" if why_costly(content) else content

    def pixels_of(self, content: bytes) -> dict[str, Any]:
        """Return `pixels`, `valid` and `brightness` of one image that was checked.

        Raises:
            BadInputError: it cannot be decoded.
            OutOfResourcesError: TensorFlow could not get its memory.
            GraphError: TensorFlow failed for another reason.
        """
        scalar = np.empty((), np.object_)
        scalar[()] = content
        return self._session.run({IMAGE_INPUT: scalar}, _OUTPUTS)

    def decode(self, content: bytes) -> DecodedRow:
        """Return one row of `serving_default`, which ignores what the decoder says of a row, too; it was checked.

        Raises:
            OutOfResourcesError: TensorFlow could not get its memory.
        """
        try:
            decoded = self.pixels_of(content)
        except (BadInputError, GraphError):
            return DecodedRow(None)
        return DecodedRow(decoded["pixels"] if decoded["valid"] else None, decoded["brightness"])

    def outputs(
        self, valid: Sequence[bool], brightness: Sequence[float], probabilities: npt.NDArray[np.float32]
    ) -> dict[str, Array]:
        """Return the outputs of `serving_default` for N rows, M of them valid, with probabilities float32 [M, C]."""
        return outputs_of_rows(self.labels, valid, brightness, probabilities)


def read_labels(folder: Path) -> npt.NDArray[np.object_]:
    """Return the labels of the version in `folder`, `bytes` in an array [C]; OSError where they cannot be read."""
    labels = (folder / LABELS).read_text(encoding="utf-8").splitlines()
    return np.array([label.encode() for label in labels], np.object_)
