"""Measuring TFLite files against the SavedModel they came from, on the test images."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from exporter.bundle.gate import LARGEST_DIFFERENCES
from exporter.bundle.images import TestImages, in_batches
from exporter.errors import ConversionError
from exporter.tflite.graph import Probabilities
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.records import Accuracy, ClassRecall, Measurement, PhoneResize, Variant
from trainer.data.pixel_store import PixelStore
from trainer.evaluation.calibration import Labels
from trainer.evaluation.metrics import Predictions, accuracy_interval, evaluate

THREADS = (1, 2)

_OnProgress = Callable[[int], None]


def measure(
    variant: Variant, content: bytes, images: TestImages, class_names: Sequence[str], on_progress: _OnProgress
) -> tuple[Measurement, Probabilities]:
    """Ask a file about every test image and time it; return its answers too, float32 [N, C].

    `on_progress` hears how many images were just answered.

    Raises:
        ConversionError: an answer is NaN or infinite.
    """
    predictions = predict_all(LiteModel(content), images.prepared, on_progress)
    if not np.isfinite(predictions).all():
        raise ConversionError(f"The {variant} file answers test images with NaN; its numbers are too coarse.")
    reference = images.reference
    same = predictions.argmax(axis=1) == reference.argmax(axis=1)
    clear = _margins(reference) > LARGEST_DIFFERENCES.get(variant, 0.0)
    one = images.prepared.take(np.array([0]))[0]
    measurement = Measurement(
        accuracy=accuracy_of(predictions, images.labels),
        worst_class=_worst_class(predictions, images.labels, class_names),
        same_prediction=float(same.mean()),
        same_prediction_where_clear=float(same[clear].mean()) if clear.any() else 1.0,
        largest_difference=float(np.abs(predictions - reference).max()),
        latency_ms={threads: LiteModel(content, threads).latency_ms(one) for threads in THREADS},
        file_bytes=len(content),
    )
    return measurement, predictions


def measure_phone_resize(
    content: bytes, predictions: Probabilities, images: TestImages, on_progress: _OnProgress
) -> PhoneResize:
    """Ask a file about every test image as a phone resizes it; `predictions` are those to the prepared ones."""
    stretched = predict_all(LiteModel(content), images.stretched, on_progress)
    return PhoneResize(
        same_prediction=float((predictions.argmax(axis=1) == stretched.argmax(axis=1)).mean()),
        accuracy=accuracy_of(stretched, images.labels),
    )


def accuracy_of(predictions: Probabilities, labels: Labels) -> Accuracy:
    """Return the share of answers that are right, with its interval."""
    right, images = int((predictions.argmax(axis=1) == labels).sum()), len(labels)
    low, high = accuracy_interval(right, images)
    return Accuracy(right=right, images=images, share=right / images, interval=(low, high))


def predict_all(model: LiteModel, pixels: PixelStore[np.uint8], on_progress: _OnProgress) -> Probabilities:
    """Return a file's answers to stored images, float32 [N, C]."""
    predictions = []
    for rows in in_batches(pixels):
        predictions.append(model.predict(rows))
        on_progress(len(rows))
    return np.concatenate(predictions)


def _worst_class(predictions: Probabilities, labels: Labels, class_names: Sequence[str]) -> ClassRecall:
    per_class = evaluate(Predictions(predictions, labels), class_names)["per_class"]
    recalls = [
        ClassRecall(label=label, images=each["images"], recall=each["recall"])
        for label, each in per_class.items()
        if each["images"]
    ]
    return min(recalls, key=lambda each: each.recall)


def _margins(probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """Return how far the first two classes of each row are apart, float32 [N]."""
    ordered = np.sort(probabilities, axis=1)
    margins: npt.NDArray[np.float32] = ordered[:, -1] - ordered[:, -2]
    return margins
