"""Images with the answers they must get, for an app's own tests."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.bundle.images import TestImages
from exporter.tflite.graph import Probabilities
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.records import Variant

GOLDEN_IMAGES = 3
EXPECTED = "expected.json"

PIXELS_TOLERANCE = 2 / 255
"""Another processor's arithmetic; twice the step of an int8 file's probabilities."""

ORIGINAL_TOLERANCE = 0.05
"""Another decoder and another rounding of places; MediaPipe itself is up to 0.01 from what is expected here."""


def write_golden(
    folder: Path, images: TestImages, class_names: tuple[str, ...], files: Mapping[Variant, bytes]
) -> None:
    """Write 3 test images: the original, its pixels as a PNG of the model's size, and what each file must answer.

    `expected.json` has for each file the probabilities `from_pixels`, and `from_original` where it is stretched as
    MediaPipe does it.
    """
    folder.mkdir()
    models = {variant: LiteModel(content) for variant, content in files.items()}
    entries = []
    for number, place in enumerate(_choose(images)):
        path, label = images.paths[place], class_names[images.labels[place]]
        original = f"{number}-{label}{path.suffix.lower()}"
        pixels = f"{number}-{label}-pixels.png"
        prepared, stretched = (store.take(np.array([place])) for store in (images.prepared, images.stretched))
        (folder / original).write_bytes(path.read_bytes())
        Image.fromarray(prepared[0]).save(folder / pixels)
        expected = {
            variant: {
                "from_pixels": _listed(model.predict(prepared)),
                "from_original": _listed(model.predict(stretched)),
            }
            for variant, model in models.items()
        }
        entries.append({"original": original, "pixels": pixels, "label": label, "expected": expected})
    content = {
        "labels": class_names,
        "tolerance": {"from_pixels": PIXELS_TOLERANCE, "from_original": ORIGINAL_TOLERANCE},
        "images": entries,
    }
    (folder / EXPECTED).write_text(json.dumps(content, indent=2) + "\n")


def _choose(images: TestImages) -> list[int]:
    """Choose the surest right answer of each class, then the next surest, and wrong ones where those are too few."""
    certainty = images.reference.max(axis=1)
    is_right = images.reference.argmax(axis=1) == images.labels
    turn: dict[int, int] = {}
    order = []
    for place in np.lexsort((-certainty, ~is_right)).tolist():
        label = int(images.labels[place])
        turn[label] = turn.get(label, 0) + 1
        order.append((not is_right[place], turn[label], label, place))
    return [place for *_, place in sorted(order)[:GOLDEN_IMAGES]]


def _listed(probabilities: Probabilities) -> list[float]:
    return [float(probability) for probability in probabilities[0]]
