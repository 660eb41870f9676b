"""Images to pixels without TensorFlow, where that is proved; TensorFlow's library is loaded for what is not."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from contract.image_cost.check import why_costly
from modelserver.engines.graphs.image_decoder import GraphImageDecoder, read_labels
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.pixels.decoder import DecodedPixels, PixelDecoder
from modelserver.engines.pixels.errors import BrokenImageError, NotProvedError, UnprovedImageError
from modelserver.engines.pixels.proof import proved_decoder
from modelserver.errors import BadInputError, GraphError, LoadError
from modelserver.model.decoded_images import DecodedRow, Pixels, RowDecoder, outputs_of_rows
from modelserver.model.tensors import Array

logger = logging.getLogger(__name__)


class DecoderCounts(Protocol):
    """Hears which decoder a version has, and which images it leaves to TensorFlow."""

    def count_decoder(self, folder: Path, *, proved: bool) -> None:
        """Count a version in `folder` that was loaded."""

    def count_left_to_tensorflow(self, kind: str) -> None:
        """Count an image of this kind."""


class NoCounts:
    """Counts nothing."""

    def count_decoder(self, folder: Path, *, proved: bool) -> None:
        """Count nothing."""

    def count_left_to_tensorflow(self, kind: str) -> None:
        """Count nothing."""


class LabelledDecoder(RowDecoder, Protocol):
    """A decoder that knows the version's labels, `bytes` in an array [C]."""

    labels: npt.NDArray[np.object_]


def choose_decoder(folder: Path, graphs: SavedGraphs, counts: DecoderCounts) -> LabelledDecoder:
    """Return what decodes the images of the version in `folder`: equal to its graph, or the graph.

    Raises:
        LoadError: the version has no signature for it, or TensorFlow is not installed, which would be needed.
        OSError: the labels cannot be read.
    """
    try:
        pixels = proved_decoder(folder)
    except NotProvedError as error:
        logger.info("%s: TensorFlow decodes its images: %s", folder, error)
        counts.count_decoder(folder, proved=False)
        return GraphImageDecoder(folder, graphs)
    counts.count_decoder(folder, proved=True)
    return ProvedImageDecoder(
        pixels, read_labels(folder), lambda: GraphImageDecoder(folder, SavedGraphs(folder)), counts
    )


class ProvedImageDecoder:
    """Decodes with `pixels`, and an image of a kind that is not proved with the version's graph, opened for the first.

    Safe to use from several threads at once.
    """

    def __init__(
        self,
        pixels: PixelDecoder,
        labels: npt.NDArray[np.object_],
        open_graph: Callable[[], GraphImageDecoder],
        counts: DecoderCounts,
    ) -> None:
        self.labels = labels
        self._pixels = pixels
        self._open_graph = open_graph
        self._opening = threading.Lock()
        self._graph: GraphImageDecoder | None = None
        self._counts = counts

    def checked(self, content: bytes) -> bytes:
        """Return the image, or no bytes, which are not valid, for one that is too costly to decode."""
        return b"" if why_costly(content) else content

    def pixels_of(self, content: bytes) -> dict[str, Any]:
        """Return `pixels`, `valid` and `brightness` of one image that was checked.

        Raises:
            BadInputError: it cannot be decoded, or not by this server.
            OutOfResourcesError: TensorFlow could not get its memory.
            GraphError: TensorFlow failed for another reason.
        """
        try:
            decoded = self._decoded(content)
        except UnprovedImageError as error:
            return self._graph_for(str(error)).pixels_of(content)
        if decoded is None:
            return {"pixels": self._blank(), "valid": np.array(False), "brightness": np.float32(0)}
        return {"pixels": decoded.pixels, "valid": np.array(True), "brightness": decoded.brightness}

    def decode(self, content: bytes) -> DecodedRow:
        """Return one row of `serving_default`; it was checked.

        Raises:
            OutOfResourcesError: TensorFlow could not get its memory.
        """
        try:
            decoded = self._decoded(content)
        except UnprovedImageError as error:
            return self._row_by_graph(content, str(error))
        except BadInputError:
            return DecodedRow(None)
        return DecodedRow(decoded.pixels, float(decoded.brightness)) if decoded else DecodedRow(None)

    def outputs(
        self, valid: Sequence[bool], brightness: Sequence[float], probabilities: npt.NDArray[np.float32]
    ) -> dict[str, Array]:
        """Return the outputs of `serving_default` for N rows, M of them valid, with probabilities float32 [M, C]."""
        return outputs_of_rows(self.labels, valid, brightness, probabilities)

    def _decoded(self, content: bytes) -> DecodedPixels | None:
        try:
            return self._pixels.decode(content)
        except BrokenImageError as error:
            raise BadInputError(f"The image cannot be decoded: {error}.") from error

    def _row_by_graph(self, content: bytes, kind: str) -> DecodedRow:
        try:
            graph = self._graph_for(kind)
        except (BadInputError, GraphError):
            return DecodedRow(None)
        return graph.decode(content)

    def _graph_for(self, kind: str) -> GraphImageDecoder:
        self._counts.count_left_to_tensorflow(kind)
        with self._opening:
            if self._graph is None:
                logger.info("TensorFlow is loaded to decode %s, as what is not proved to become the same bits", kind)
                try:
                    self._graph = self._open_graph()
                except LoadError as error:
                    raise BadInputError(
                        f"The image is {kind}, which is not offered here without TensorFlow; send another kind."
                    ) from error
            return self._graph

    def _blank(self) -> Pixels:
        wanted = self._pixels.image_input
        return np.zeros((wanted.height, wanted.width, 3), np.uint8)
