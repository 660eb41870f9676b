"""One version of a model, its network run by LiteRT.

Images are decoded without TensorFlow where that was proved to make the same bits, and else by the version's own
TensorFlow graph, cut down to the signature `pixels_of_image`; so all outputs are those of TensorFlow's graph.
"""

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np

from contract.signatures import DESCRIBE, HEATMAP, IMAGE_INPUT, PIXELS_OF_IMAGE, SERVING_DEFAULT, SERVING_PIXELS
from contract.versions import LITERT_NETWORK, MANIFEST
from modelserver.engines.graphs.session import GraphSession
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.litert.image_decoder import DecoderCounts, NoCounts, ProvedImageDecoder, choose_decoder
from modelserver.engines.litert.network import LiteNetworks, Probabilities
from modelserver.engines.litert.row_threads import RowThreads
from modelserver.engines.litert.threads import EngineThreads
from modelserver.errors import BadInputError, LoadError
from modelserver.model.calls import GraphCall
from modelserver.model.decoded_images import Pixels
from modelserver.model.spans import DECODE, NETWORK, TracedWork
from modelserver.model.tensors import Array, shape_text
from modelserver.model.version import Model

_WHEN_LOADED = "__saved_model_init_op"
"""Among the signatures of every SavedModel; not one that requests may name."""

_Row = tuple[float, Probabilities | None]
"""Brightness and probabilities of one image, which has none if it is not valid."""


class LitertModel(Model):
    """A version that has `assets.extra/network.tflite`; see `docs/published-version.md` for its signatures.

    Each row is decoded and predicted in one thread, as many rows at a time as there are interpreters. `rows` are the
    threads for requests of more than one row, which share them.
    """

    engine = "LiteRT"
    gains_from_batches = False

    def __init__(
        self,
        folder: Path,
        threads: EngineThreads,
        rows: RowThreads,
        on_run: Callable[[float], None],
        counts: DecoderCounts,
    ) -> None:
        graphs = SavedGraphs(folder)
        definitions = graphs.definitions
        super().__init__(definitions, [name for name in definitions.signature_def if name != _WHEN_LOADED])
        self.image_decoder = self._decoder = choose_decoder(folder, graphs, counts)
        self._networks = LiteNetworks(folder / LITERT_NETWORK, threads.rows_at_a_time, threads.for_one_row)
        self._folder = folder
        self._opening_heatmaps = Lock()
        self._manifest = (folder / MANIFEST).read_bytes()
        self._rows = rows
        self._on_run = on_run
        if unknown := set(self.signatures) - set(self._FUNCTIONS):
            raise LoadError(f"LiteRT cannot run the signatures {', '.join(sorted(unknown))}.")
        if self._networks.classes != (count := len(self._decoder.labels)):
            raise LoadError(f"{LITERT_NETWORK} has {self._networks.classes} classes, not {count}.")

    @classmethod
    def load(
        cls,
        folder: Path,
        threads: EngineThreads | None = None,
        rows: RowThreads | None = None,
        on_run: Callable[[float], None] = lambda _: None,
        counts: DecoderCounts | None = None,
    ) -> Self:
        """Load the version in `folder`; `on_run` gets the seconds of each call that goes well.

        Without `threads` and `rows` they are chosen for this machine.

        Raises:
            LoadError: it has no network for LiteRT, or it cannot be read.
        """
        if not (folder / LITERT_NETWORK).is_file():
            raise LoadError(f"{folder} has no {LITERT_NETWORK}: export the run again, or take --engine tensorflow.")
        try:
            threads = threads or EngineThreads.for_this_machine()
            return cls(folder, threads, rows or RowThreads(threads.rows_at_a_time), on_run, counts or NoCounts())
        except OSError as error:
            raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error

    @property
    def needs_tensorflow(self) -> bool:
        """Whether TensorFlow's library was loaded to decode images."""
        return not isinstance(self._decoder, ProvedImageDecoder)

    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name. Bytes that are not an image are not valid.

        Raises:
            CallCancelledError: nobody waited any more before the last row was begun.
            BadInputError: the input does not have the signature's shape, or is not an image (`pixels_of_image`).
            OutOfResourcesError: TensorFlow could not get its memory.
            GraphError: TensorFlow or LiteRT failed for another reason.
        """
        started = time.perf_counter()
        with call.traced(self.engine) as traced:
            outputs = self._FUNCTIONS[call.signature_name](self, call, traced)
        self._on_run(time.perf_counter() - started)
        return {name: outputs[name] for name in call.outputs}

    def _predict_images(self, call: GraphCall, traced: TracedWork) -> dict[str, Array]:
        (contents,) = call.arguments
        if contents.ndim != 1:
            raise BadInputError(f"image_bytes must have the shape [N], not {shape_text(contents)}.")
        predict = functools.partial(self._predict_image, traced)
        rows = self._rows.map(predict, contents.tolist(), call.tokens)
        predicted = [probabilities for _, probabilities in rows]
        valid = [probabilities for probabilities in predicted if probabilities is not None]
        return self._decoder.outputs(
            [probabilities is not None for probabilities in predicted],
            [brightness for brightness, _ in rows],
            np.array(valid, np.float32),
        )

    def _predict_image(self, traced: TracedWork, content: bytes) -> _Row:
        with self._networks.lent() as network:
            with traced.stage(DECODE):
                image = self._decoder.decode(self._decoder.checked(content))
            if image.pixels is None:
                return image.brightness, None
            with traced.stage(NETWORK):
                return image.brightness, network.predict(image.pixels)

    def _predict_pixels(self, call: GraphCall, traced: TracedWork) -> dict[str, Array]:
        (pixels,) = call.arguments
        if pixels.ndim != 4 or pixels.shape[1:] != self._networks.image_shape:
            shape = ",".join(map(str, self._networks.image_shape))
            raise BadInputError(f"pixels must have the shape [N,{shape}], not {shape_text(pixels)}.")
        probabilities = np.zeros((len(pixels), self._networks.classes), np.float32)
        predict = functools.partial(self._predict_one, traced)
        for number, predicted in enumerate(self._rows.map(predict, list(pixels), call.tokens)):
            probabilities[number] = predicted
        return {"probabilities": probabilities}

    def _predict_one(self, traced: TracedWork, pixels: Pixels) -> Probabilities:
        with self._networks.lent() as network, traced.stage(NETWORK):
            return network.predict(pixels)

    def _decode(self, call: GraphCall, traced: TracedWork) -> dict[str, Array]:
        (content,) = call.arguments
        if content.ndim:
            raise BadInputError(f"image_bytes must be one string, of the shape [], not {shape_text(content)}.")
        with traced.stage(DECODE):
            return self._decoder.pixels_of(self._decoder.checked(content.item()))

    def _show_heatmaps(self, call: GraphCall, _: TracedWork) -> dict[str, Array]:
        (contents,) = call.arguments
        if contents.ndim != 1:
            raise BadInputError(f"image_bytes must have the shape [N], not {shape_text(contents)}.")
        with self._opening_heatmaps:
            heatmaps = self._heatmaps
        return heatmaps.run({IMAGE_INPUT: contents}, call.outputs)

    @functools.cached_property
    def _heatmaps(self) -> GraphSession:
        """TensorFlow's graph of the heatmaps, whose network takes memory only once somebody wants one.

        Not optimized: that would take the first request three times as long, 4.5 s instead of 1.5 s for MobileNetV2.
        """
        return GraphSession(SavedGraphs(self._folder).cut_out(HEATMAP), optimize=False)

    def _describe(self, call: GraphCall, _: TracedWork) -> dict[str, Array]:
        return {"manifest": np.full(call.arguments[0].shape, self._manifest, np.object_)}

    # of the class: bound methods would be a cycle, and a model that was replaced would stay until it is collected
    _FUNCTIONS: ClassVar[Mapping[str, Callable[[Any, GraphCall, TracedWork], dict[str, Array]]]] = {
        SERVING_DEFAULT: _predict_images,
        SERVING_PIXELS: _predict_pixels,
        PIXELS_OF_IMAGE: _decode,
        DESCRIBE: _describe,
        HEATMAP: _show_heatmaps,
    }
