"""How good a model is on pictures that it has not seen."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contract.image_input import ImageInput
from trainer.dataset import DecodedSplit
from trainer.evaluation import evaluate

INPUT = ImageInput(height=2, width=2)


class Knowing:
    """A model that gives the answers it was told, in the order of the pictures."""

    def __init__(self, answers: list[list[float]]) -> None:
        self.answers = np.array(answers, np.float32)

    def predict(self, data: Any, verbose: int) -> npt.NDArray[np.float32]:
        """Answer each picture by its number, which is its brightness."""
        order: npt.NDArray[np.int64] = np.concatenate([values.numpy()[:, 0, 0, 0] for values, _ in data]).astype(int)
        return np.asarray(self.answers[order], np.float32)


def split(labels: list[int]) -> DecodedSplit:
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return DecodedSplit(pixels, np.array(labels, np.int32), [], [])


def test_metrics_are_counted_against_the_truth() -> None:
    """Accuracy, cross-entropy in nats and the recall of each class are those of the answers."""
    model = Knowing([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.5, 0.25, 0.25]])
    metrics = evaluate(model, split([0, 0, 1, 0]), ("a", "b", "c"), INPUT, batch_size=3)
    assert (metrics["pictures"], metrics["accuracy"]) == (4, 0.75)
    assert metrics["cross_entropy"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.5]).mean(), rel=1e-5)
    assert metrics["per_class"] == {
        "a": {"pictures": 3, "recall": pytest.approx(2 / 3)},
        "b": {"pictures": 1, "recall": 1.0},
        "c": {"pictures": 0, "recall": None},
    }


def test_certain_error_has_a_finite_cross_entropy() -> None:
    """A truth that was given no probability at all counts much, and not infinitely."""
    metrics = evaluate(Knowing([[0.0, 1.0]]), split([0]), ("a", "b"), INPUT, batch_size=1)
    assert metrics["cross_entropy"] == pytest.approx(-np.log(1e-7), rel=1e-5)
