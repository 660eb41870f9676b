"""The images with the most confident wrong predictions: often they are labelled wrongly, or show two classes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.evaluation.metrics import Predictions

Pixels = npt.NDArray[np.uint8]

_THUMBNAIL = 192  # pixels of the longer side: sharp at the 96 CSS pixels of a phone's gallery, about 8 KB an image
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Mistake:
    """An image, its true class, the class predicted with `probability`, 0 to 1, and a small JPEG."""

    path: Path
    truth: str
    predicted: str
    probability: float
    thumbnail: bytes


def worst_mistakes(
    predictions: Predictions,
    images: Pixels | Callable[[int], Pixels],
    paths: Sequence[Path],
    class_names: Sequence[str],
    count: int = 24,
) -> list[Mistake]:
    """Return at most `count` wrong predictions, the most confident first; ties stay in the order of the images.

    `images` are uint8 [N, H, W, 3], RGB, or a function from an index to uint8 [H, W, 3] of any size, which is called
    for the chosen images only. `paths` are the N files.
    """
    predicted, confidence = predictions.predicted, predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        Mistake(
            paths[index],
            class_names[predictions.labels[index]],
            class_names[predicted[index]],
            float(confidence[index]),
            _thumbnail(images(index) if callable(images) else images[index]),
        )
        for index in worst.tolist()
    ]


def _thumbnail(pixels: Pixels) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
