"""TFLite files as predictors, run by the interpreter that phones, and some of our servers, have."""

from pathlib import Path

import numpy as np

from contract.manifest import ModelManifest
from contract.versions import LITERT_NETWORK
from exporter.bundle.gate import LARGEST_DIFFERENCES
from exporter.check.bundles import TfliteFile
from exporter.check.images import ImageBatch
from exporter.check.predictor import PredictedBatch
from exporter.errors import CheckError
from exporter.tflite.interpreter import LiteModel

_BOUNDS: dict[str, float] = dict(LARGEST_DIFFERENCES.items())


class LiteFilePredictions:
    """A TFLite file on one thread: uint8 pixels [1, H, W, 3] in, and probabilities [1, C] out.

    Without a `bound` single images say nothing of it, as of a file of integers.

    Raises:
        CheckError: it cannot be loaded, or its images or classes are not the version's.
    """

    timed = True

    def __init__(self, path: Path, manifest: ModelManifest, name: str, bound: float | None) -> None:
        self.name = name
        self.bound = bound
        self._classes = len(manifest.labels)
        self._model = _open(path, manifest)

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer from the pixels; an image that cannot be decoded never comes to a TFLite file."""
        probabilities = np.zeros((len(batch.names), self._classes), np.float32)
        if batch.valid.any():
            probabilities[batch.valid] = self._model.predict(batch.pixels[batch.valid])
        return PredictedBatch(probabilities, batch.valid)


def bundled_file_predictor(file: TfliteFile, manifest: ModelManifest) -> LiteFilePredictions:
    """Return the answers of a file for phones; one of integers was judged by its accuracy when it was made."""
    return LiteFilePredictions(file.path, manifest, f"TFLite {file.variant}", _BOUNDS.get(file.variant))


def network_predictors(version: Path, manifest: ModelManifest, bound: float) -> list[LiteFilePredictions]:
    """Return the answers of the version's own network for servers with LiteRT, or none where it has none."""
    path = version / LITERT_NETWORK
    return [LiteFilePredictions(path, manifest, "LiteRT network", bound)] if path.is_file() else []


def _open(path: Path, manifest: ModelManifest) -> LiteModel:
    try:
        model = LiteModel(path.read_bytes())
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckError(f"{path} cannot be loaded as a TFLite model ({reason}); make it again.") from error
    size = (manifest.image_input.height, manifest.image_input.width)
    takes, gives = (1, *size, 3), (1, len(manifest.labels))
    if (model.input.shape, model.input.dtype, model.output.shape) != (takes, "uint8", gives):
        raise CheckError(
            f"{path} takes {model.input.dtype} {list(model.input.shape)} and gives {list(model.output.shape)}, "
            f"not uint8 {list(takes)} and {list(gives)}; it was made from another model."
        )
    return model
