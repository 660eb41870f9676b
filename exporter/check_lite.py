"""TFLite files in a check, asked by the interpreter that phones have."""

import numpy as np

from contract.manifest import ModelManifest
from exporter.check_answers import Answered
from exporter.check_bundles import LiteFile
from exporter.check_pictures import PictureBatch
from exporter.errors import CheckError
from exporter.lite_gate import LARGEST_DIFFERENCES
from exporter.lite_interpreter import LiteModel

_BOUNDS: dict[str, float] = dict(LARGEST_DIFFERENCES.items())


class LiteFileAnswers:
    """A TFLite file on one thread: uint8 pixels [1, H, W, 3] in, and probabilities [1, C] out.

    A file of integers has no bound on single pictures: it was judged by its accuracy when it was made.

    Raises:
        CheckError: it cannot be loaded, or its pictures or classes are not the version's.
    """

    timed = True

    def __init__(self, file: LiteFile, manifest: ModelManifest) -> None:
        self.who = f"TFLite {file.variant}"
        self.bound = _BOUNDS.get(file.variant)
        self._classes = len(manifest.labels)
        self._model = _open(file, manifest)

    def answer(self, batch: PictureBatch) -> Answered:
        """Answer from the pixels; a picture that cannot be decoded never comes to a TFLite file."""
        probabilities = np.zeros((len(batch.names), self._classes), np.float32)
        if batch.valid.any():
            probabilities[batch.valid] = self._model.answer(batch.pixels[batch.valid])
        return Answered(probabilities, batch.valid)


def _open(file: LiteFile, manifest: ModelManifest) -> LiteModel:
    try:
        model = LiteModel(file.path.read_bytes())
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckError(f"{file.path} cannot be loaded as a TFLite model ({reason}); make it again.") from error
    size = (manifest.image_input.height, manifest.image_input.width)
    takes, gives = (1, *size, 3), (1, len(manifest.labels))
    if (model.input.shape, model.input.dtype, model.output.shape) != (takes, "uint8", gives):
        raise CheckError(
            f"{file.path} takes {model.input.dtype} {list(model.input.shape)} and gives {list(model.output.shape)}, "
            f"not uint8 {list(takes)} and {list(gives)}; it was made from another model."
        )
    return model
