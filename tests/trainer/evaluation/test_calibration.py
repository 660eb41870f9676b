"""One temperature makes probabilities mean what they say, and changes no decision."""

import numpy as np
import numpy.typing as npt
import pytest

from trainer.evaluation.calibration import (
    BOUNDS,
    FEWEST_IMAGES,
    expected_calibration_error,
    fit_temperature,
    reliability,
    with_temperature,
)

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]


def softmax(logits: Logits) -> npt.NDArray[np.float32]:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


def honest(images: int, classes: int = 5, seed: int = 0) -> tuple[Logits, Labels]:
    """Draw logits, and labels with just the probabilities that these logits mean."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (images, classes))
    return logits, np.asarray((logits + random.gumbel(size=logits.shape)).argmax(axis=1), np.int32)


def cross_entropy(probabilities: npt.NDArray[np.float32], labels: Labels) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels], dtype=np.float64).mean())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_known_temperature_is_found(temperature: float) -> None:
    """Answers whose logits were multiplied by T are given back their meaning by T."""
    logits, labels = honest(20_000)
    assert fit_temperature(softmax(logits * temperature), labels) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_is_better() -> None:
    """The temperature that is found has the least cross-entropy on the images it was fitted on."""
    logits, labels = honest(300)
    predictions = softmax(logits * 2.5)
    found = fit_temperature(predictions, labels)
    least = cross_entropy(with_temperature(predictions, found), labels)
    others = [
        cross_entropy(with_temperature(predictions, other), labels) for other in (1.0, found * 0.99, found * 1.01)
    ]
    assert all(least < other for other in others)


def test_a_temperature_above_one_makes_answers_less_sure() -> None:
    """Dividing the logits by two has the value computed by hand."""
    predictions = with_temperature(np.array([[0.8, 0.2]], np.float32), 2.0)
    assert predictions.dtype == np.float32
    assert predictions[0] == pytest.approx([2 / 3, 1 / 3], rel=1e-6)  # the square roots of 0.8 and 0.2 are 2 to 1


@pytest.mark.parametrize("temperature", [BOUNDS[0], 0.3, 1.0, 4.0, BOUNDS[1]])
def test_no_decision_changes(temperature: float) -> None:
    """The most probable class is the same at any temperature, and probabilities still add up to one."""
    predictions = softmax(honest(500)[0] * 3)
    calibrated = with_temperature(predictions, temperature)
    assert (calibrated.argmax(axis=1) == predictions.argmax(axis=1)).all()
    assert calibrated.sum(axis=1) == pytest.approx(np.ones(500), abs=1e-5)


def test_probabilities_of_zero_stay_finite() -> None:
    """An answer that excludes a class altogether can be calibrated, even where it is the true one."""
    predictions = np.tile(np.array([[1.0, 0.0]], np.float32), (100, 1))
    labels = np.array([0] * 90 + [1] * 10, np.int32)
    temperature = fit_temperature(predictions, labels)
    assert 1 < temperature <= BOUNDS[1]
    assert np.isfinite(with_temperature(predictions, temperature)).all()


def test_all_right_is_no_reason_to_be_surer() -> None:
    """Where every validation image is right the answers stay as sure as they were; T would go to zero."""
    logits, _ = honest(200)
    predictions = softmax(logits)
    assert fit_temperature(predictions, np.asarray(predictions.argmax(axis=1), np.int32)) == 1.0


def test_all_wrong_ends_at_the_bound() -> None:
    """A model that is always wrong is made as unsure as the bounds allow, and not beyond."""
    predictions = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    assert fit_temperature(predictions, np.ones(100, np.int32)) == pytest.approx(BOUNDS[1], rel=1e-3)


def test_few_images_change_nothing() -> None:
    """Fewer images than can tell leave the answers as they are; one more is enough."""
    logits, labels = honest(FEWEST_IMAGES)
    predictions = softmax(logits * 3)
    assert fit_temperature(predictions[:-1], labels[:-1]) == 1.0
    assert fit_temperature(predictions, labels) > 1.5


def test_calibration_error_by_hand() -> None:
    """Two answers of 0.9, of which one is right, and two of 0.6, both right, are 0.4 apart on average."""
    predictions = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], np.float32)
    labels = np.array([0, 1, 1, 1], np.int32)
    # (2 * |0.5 - 0.9| + 2 * |1.0 - 0.6|) / 4
    assert expected_calibration_error(predictions, labels) == pytest.approx(0.4, abs=1e-6)
    # in one bin: |0.75 - 0.75|
    assert expected_calibration_error(predictions, labels, bins=1) == pytest.approx(0.0, abs=1e-6)


def test_bins_of_a_reliability_diagram() -> None:
    """Each bin that holds an answer has its count, its mean confidence and its share of right answers."""
    predictions = np.array([[0.5, 0.5], [1.0, 0.0], [0.99, 0.01]], np.float32)
    low, high = reliability(predictions, np.array([0, 0, 1], np.int32), bins=10)
    assert (low.low, low.high, low.images, low.confidence, low.accuracy) == (0.4, 0.5, 1, 0.5, 1.0)
    assert (high.low, high.high, high.images, high.accuracy) == (0.9, 1.0, 2, 0.5)
    assert high.confidence == pytest.approx(0.995)


def test_calibrating_makes_answers_more_honest() -> None:
    """On images that the temperature was not fitted on, the calibration error falls."""
    logits, labels = honest(4_000)
    predictions = softmax(logits * 2)
    temperature = fit_temperature(predictions[:2_000], labels[:2_000])
    before = expected_calibration_error(predictions[2_000:], labels[2_000:])
    after = expected_calibration_error(with_temperature(predictions[2_000:], temperature), labels[2_000:])
    assert after < before / 3
