"""One version of a model, its network run by LiteRT.

Pictures are decoded by the version's own TensorFlow graph, cut down to the signature `pixels_of_image`; so there is
still one implementation of preprocessing, and of everything that TensorFlow's graph answers this gives the same.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from contract.versions import LABELS, LITERT_NETWORK, MANIFEST
from modelserver.engine_threads import EngineThreads
from modelserver.errors import BadInputError, LoadError
from modelserver.graph_calls import GraphCall
from modelserver.graph_session import GraphSession
from modelserver.litert_network import LiteNetworks
from modelserver.model import Model
from modelserver.signature_graphs import SavedGraphs
from modelserver.tensors import Array, shape_text

SERVING_DEFAULT, SERVING_PIXELS, DESCRIBE = "serving_default", "serving_pixels", "describe"
PIXELS_OF_IMAGE = "pixels_of_image"

_WHEN_LOADED = "__saved_model_init_op"
"""Among the signatures of every SavedModel; not one that can be asked."""

_Row = dict[str, Any]
"""What is answered for one picture, by the names of the outputs."""


class LitertModel(Model):
    """A version that has `assets.extra/network.tflite`; see `docs/published-version.md` for its signatures.

    Each row is decoded and answered in one thread, as many rows at a time as there are interpreters.
    """

    engine = "LiteRT"
    gains_from_batches = False

    def __init__(self, folder: Path, threads: EngineThreads, on_run: Callable[[float], None] = lambda _: None) -> None:
        graphs = SavedGraphs(folder)
        definitions = graphs.definitions
        super().__init__(definitions, [name for name in definitions.signature_def if name != _WHEN_LOADED])
        self._pictures = GraphSession(graphs.cut_out(PIXELS_OF_IMAGE))
        self._networks = LiteNetworks(folder / LITERT_NETWORK, threads.rows_at_a_time, threads.for_one_row)
        self._labels = np.array([label.encode() for label in _labels(folder)], np.object_)
        self._manifest = (folder / MANIFEST).read_bytes()
        self._on_run = on_run
        self._answers: dict[str, Callable[[GraphCall], dict[str, Array]]] = {
            SERVING_DEFAULT: self._answer_pictures,
            SERVING_PIXELS: self._answer_pixels,
            PIXELS_OF_IMAGE: self._decode,
            DESCRIBE: self._describe,
        }
        if unknown := set(self.signatures) - set(self._answers):
            raise LoadError(f"LiteRT has no answer for the signatures {', '.join(sorted(unknown))}.")
        if self._networks.classes != len(self._labels):
            raise LoadError(f"{LITERT_NETWORK} has {self._networks.classes} classes, not {len(self._labels)}.")

    @classmethod
    def load(
        cls, folder: Path, threads: EngineThreads | None = None, on_run: Callable[[float], None] = lambda _: None
    ) -> Self:
        """Load the version in `folder`; `on_run` gets the seconds of each call that goes well.

        Raises:
            LoadError: it has no network for LiteRT, or it cannot be read.
        """
        if not (folder / LITERT_NETWORK).is_file():
            raise LoadError(f"{folder} has no {LITERT_NETWORK}: export the run again, or take --engine tensorflow.")
        try:
            return cls(folder, threads or EngineThreads.for_this_machine(), on_run)
        except OSError as error:
            raise LoadError(f"{error.filename} cannot be read: {error.strerror}.") from error

    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name. Pictures that are none are not valid.

        Raises:
            BadInputError: the input has another shape than the signature says, or `pixels_of_image` no picture.
            OutOfResourcesError: TensorFlow could not get its memory.
            GraphError: TensorFlow or LiteRT failed for another reason.
        """
        started = time.perf_counter()
        outputs = self._answers[call.signature_name](call)
        self._on_run(time.perf_counter() - started)
        return {name: outputs[name] for name in call.outputs}

    def _answer_pictures(self, call: GraphCall) -> dict[str, Array]:
        (contents,) = call.arguments
        if contents.ndim != 1:
            raise BadInputError(f"image_bytes must have the shape [N], not {shape_text(contents)}.")
        rows = [self._answer_picture(content) for content in contents]
        probabilities = np.zeros((len(rows), self._networks.classes), np.float32)
        labels = np.full(len(rows), b"", np.object_)
        for number, row in enumerate(rows):
            if row["valid"]:
                probabilities[number] = row["probabilities"]
                labels[number] = self._labels[row["probabilities"].argmax()]
        return {
            "probabilities": probabilities,
            "label": labels,
            "valid": np.array([row["valid"] for row in rows], np.bool_),
            "brightness": np.array([row["brightness"] for row in rows], np.float32),
        }

    def _answer_picture(self, content: bytes) -> _Row:
        with self._networks.lent() as network:
            try:
                decoded = self._pixels_of(content)
            except BadInputError:  # the header was a picture's, the rest is not
                return {"valid": False, "brightness": 0.0}
            if not decoded["valid"]:
                return decoded
            return {**decoded, "probabilities": network.answer(decoded["pixels"])}

    def _answer_pixels(self, call: GraphCall) -> dict[str, Array]:
        (pixels,) = call.arguments
        if pixels.ndim != 4 or pixels.shape[1:] != self._networks.picture_shape:
            shape = ",".join(map(str, self._networks.picture_shape))
            raise BadInputError(f"pixels must have the shape [N,{shape}], not {shape_text(pixels)}.")
        probabilities = np.zeros((len(pixels), self._networks.classes), np.float32)
        for number, picture in enumerate(pixels):
            with self._networks.lent() as network:
                probabilities[number] = network.answer(picture)
        return {"probabilities": probabilities}

    def _decode(self, call: GraphCall) -> dict[str, Array]:
        (content,) = call.arguments
        if content.ndim:
            raise BadInputError(f"image_bytes must be one string, of the shape [], not {shape_text(content)}.")
        return self._pixels_of(content.item())

    def _pixels_of(self, content: bytes) -> dict[str, Array]:
        scalar = np.empty((), np.object_)
        scalar[()] = content
        return self._pictures.run({"image_bytes": scalar}, ("pixels", "valid", "brightness"))

    def _describe(self, call: GraphCall) -> dict[str, Array]:
        return {"manifest": np.full(call.arguments[0].shape, self._manifest, np.object_)}


def _labels(folder: Path) -> list[str]:
    return (folder / LABELS).read_text(encoding="utf-8").splitlines()
