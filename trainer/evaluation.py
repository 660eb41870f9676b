"""How good a model is on pictures that it has not seen."""

from typing import Any

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from trainer.dataset import DecodedSplit, batches

_SMALLEST_PROBABILITY = 1e-7  # Keras's own bound, which keeps the logarithm finite


def evaluate(
    model: Any, split: DecodedSplit, labels: tuple[str, ...], image_input: ImageInput, batch_size: int
) -> dict[str, Any]:
    """Return accuracy, cross-entropy in nats, and per class its count and the share that was recognised."""
    data = batches(split, image_input, batch_size)
    probabilities: npt.NDArray[np.float32] = model.predict(data, verbose=0)
    right = probabilities.argmax(axis=1) == split.labels
    of_truth = probabilities[np.arange(len(right)), split.labels]
    return {
        "pictures": len(right),
        "accuracy": float(right.mean()),
        "cross_entropy": float(-np.log(np.maximum(of_truth, _SMALLEST_PROBABILITY)).mean()),
        "per_class": {name: _recall(right[split.labels == index]) for index, name in enumerate(labels)},
    }


def _recall(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {"pictures": len(right), "recall": float(right.mean()) if len(right) else None}
