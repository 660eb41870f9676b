"""The metrics of a model on held-out images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score

from trainer.evaluation.calibration import Labels, Probabilities, expected_calibration_error

CONFIDENCE_LEVEL = 0.95
_SMALLEST_PROBABILITY = 1e-7  # Keras's own bound, which keeps the logarithm finite
_TOP_K = (2, 3, 5)


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for N images: `probabilities` float32 [N, C], and the true `labels` int32 [N].

    Raises:
        ValueError: there are none, probabilities and labels do not match, or a probability is not finite.
    """

    probabilities: Probabilities
    labels: Labels

    def __post_init__(self) -> None:
        if not len(self.labels) or len(self.probabilities) != len(self.labels):
            raise ValueError(f"{len(self.probabilities)} predictions do not match {len(self.labels)} labels")
        if not np.isfinite(self.probabilities).all():
            raise ValueError("a prediction is NaN or infinite")

    @property
    def predicted(self) -> Labels:
        """The most probable class of each image, int32 [N]; the first one in a tie."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int32)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the true one, bool [N]."""
        return np.asarray(self.predicted == self.labels)


def evaluate(predictions: Predictions, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the metrics as JSON; None where a metric is undefined for these images.

    - `accuracy` and its 95 % `accuracy_interval` (Wilson's, see `accuracy_interval`)
    - `macro_f1`: mean F1 over the classes that have images, so that rare classes count as much as common ones
    - `cross_entropy` in nats; probabilities below 1e-7 count as 1e-7
    - `top_k`: the share whose true class is among the k most probable ones, for 2, 3 and 5 where there are more classes
    - `expected_calibration_error` over 15 bins
    - `per_class`: `images`, `recall` (None without images), `precision` (None if never predicted) and `f1`
    - `confusion`: counts; rows are true classes, columns predicted ones, both in the order of `class_names`
    """
    classes = range(len(class_names))
    right = predictions.right
    per_class = _per_class(predictions, class_names)
    return {
        "images": len(right),
        "accuracy": float(right.mean()),
        "accuracy_interval": accuracy_interval(int(right.sum()), len(right)),
        "macro_f1": _mean([each["f1"] for each in per_class.values() if each["images"]]),
        "cross_entropy": cross_entropy(predictions),
        "expected_calibration_error": expected_calibration_error(predictions.probabilities, predictions.labels),
        "top_k": _top_k(predictions, len(classes)),
        "per_class": per_class,
        "confusion": confusion_matrix(predictions.labels, predictions.predicted, labels=classes).tolist(),
    }


def accuracy_interval(right: int, images: int) -> list[float]:
    """Return the bounds of Wilson's 95 % score interval for a share (Wilson 1927, doi:10.2307/2276774).

    Unlike mean ± 1.96 standard errors it stays within 0 to 1, and has a width where all predictions are right.
    """
    interval = binomtest(right, images).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return [float(interval.low), float(interval.high)]


def cross_entropy(predictions: Predictions) -> float:
    """Return the mean cross-entropy in nats; probabilities below 1e-7 count as 1e-7."""
    of_truth = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    return float(-np.log(np.maximum(of_truth, _SMALLEST_PROBABILITY, dtype=np.float64)).mean())


def _top_k(predictions: Predictions, classes: int) -> dict[str, float]:
    truth, scores = predictions.labels, predictions.probabilities
    return {
        str(k): float(top_k_accuracy_score(truth, scores, k=k, labels=range(classes))) for k in _TOP_K if k < classes
    }


def _per_class(predictions: Predictions, class_names: Sequence[str]) -> dict[str, dict[str, Any]]:
    precision, recall, f1, images = precision_recall_fscore_support(
        predictions.labels, predictions.predicted, labels=range(len(class_names)), zero_division=np.nan
    )
    return {
        name: {
            "images": int(images[index]),
            "recall": _known(recall[index]),
            "precision": _known(precision[index]),
            "f1": _known(f1[index]),
        }
        for index, name in enumerate(class_names)
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
