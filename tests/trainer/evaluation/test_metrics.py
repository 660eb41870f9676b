"""How good a model is on images that it has not seen."""

import json

import numpy as np
import pytest

from trainer.evaluation.metrics import Predictions, accuracy_interval, evaluate


def predictions(probabilities_of: list[list[float]], labels: list[int]) -> Predictions:
    return Predictions(np.array(probabilities_of, np.float32), np.array(labels, np.int32))


FOUR = predictions([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.5, 0.25, 0.25]], [0, 0, 1, 0])


def test_metrics_are_counted_against_the_truth() -> None:
    """Accuracy, cross-entropy in nats, and precision, recall and F1 of each class are those of the answers."""
    metrics = evaluate(FOUR, ("a", "b", "c"))
    assert (metrics["images"], metrics["accuracy"]) == (4, 0.75)
    assert metrics["cross_entropy"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.5]).mean(), rel=1e-5)
    assert metrics["per_class"] == {
        "a": {"images": 3, "recall": pytest.approx(2 / 3), "precision": 1.0, "f1": pytest.approx(0.8)},
        "b": {"images": 1, "recall": 1.0, "precision": 0.5, "f1": pytest.approx(2 / 3)},
        "c": {"images": 0, "recall": None, "precision": None, "f1": None},
    }


def test_macro_f1_is_over_classes_with_images() -> None:
    """Rare classes count as much as common ones, and classes without test images not at all."""
    assert evaluate(FOUR, ("a", "b", "c"))["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    taken_for_c = predictions([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]], [0, 1, 0])
    assert evaluate(taken_for_c, ("a", "b", "c"))["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_rows_of_the_confusion_matrix_are_the_truth() -> None:
    """Of three images of a, one was taken for b."""
    assert evaluate(FOUR, ("a", "b", "c"))["confusion"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(("classes", "expected"), [(2, set()), (3, {"2"}), (5, {"2", "3"}), (6, {"2", "3", "5"})])
def test_top_k_is_for_k_below_the_classes(classes: int, expected: set[str]) -> None:
    """The truth is always among as many answers as there are classes, which says nothing."""
    probabilities_of = np.full((3, classes), 1 / classes, np.float32)
    metrics = evaluate(Predictions(probabilities_of, np.zeros(3, np.int32)), [str(index) for index in range(classes)])
    assert set(metrics["top_k"]) == expected


def test_top_k_by_hand() -> None:
    """The truth of two images is second, that of the third is third."""
    probabilities_of = [[0.5, 0.3, 0.2, 0.0]] * 3
    top = evaluate(predictions(probabilities_of, [1, 1, 2]), ("a", "b", "c", "d"))["top_k"]
    assert top == {"2": pytest.approx(2 / 3), "3": 1.0}


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        (81, 100, 0.7222, 0.8749),  # Brown, Cai, DasGupta's formula, computed by hand with z = 1.959964
        (10, 10, 0.7225, 1.0),
        (0, 10, 0.0, 0.2775),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_interval_is_wilsons(right: int, images: int, low: float, high: float) -> None:
    """The interval is Wilson's score interval at 95 %, and stays within 0 to 1."""
    assert accuracy_interval(right, images) == [pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5)]


def test_interval_belongs_to_the_accuracy() -> None:
    """The metrics' interval is that of its own right answers."""
    assert evaluate(FOUR, ("a", "b", "c"))["accuracy_interval"] == accuracy_interval(3, 4)


def test_certain_error_has_a_finite_cross_entropy() -> None:
    """A truth that was given no probability at all counts much, and not infinitely."""
    metrics = evaluate(predictions([[0.0, 1.0]], [0]), ("a", "b"))
    assert metrics["cross_entropy"] == pytest.approx(-np.log(1e-7), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_metrics_are_strict_json(classes: int) -> None:
    """Metrics have no NaN, even where most classes have no image and are never predicted."""
    probabilities_of = np.full((1, classes), 1 / classes, np.float32)
    names = [f"class {index}" for index in range(classes)]
    metrics = evaluate(Predictions(probabilities_of, np.ones(1, np.int32)), names)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


@pytest.mark.parametrize(
    ("probabilities_of", "labels", "reason"),
    [
        (np.zeros((0, 2), np.float32), np.zeros(0, np.int32), "0 predictions"),
        (np.zeros((2, 2), np.float32), np.zeros(3, np.int32), "2 predictions do not match 3 labels"),
        (np.full((1, 2), np.nan, np.float32), np.zeros(1, np.int32), "NaN"),
    ],
)
def test_predictions_that_cannot_be_evaluated_are_refused(
    probabilities_of: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    labels: np.ndarray[tuple[int], np.dtype[np.int32]],
    reason: str,
) -> None:
    """No predictions, another number of labels, and NaN raise ValueError."""
    with pytest.raises(ValueError, match=reason):
        Predictions(probabilities_of, labels)
