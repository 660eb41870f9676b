"""The gate itself: which differences from the trained model it lets through, and what it says of the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.blessing import RoundingNoise
from exporter.errors import ParityError
from exporter.proof.fixtures import Fixture
from exporter.proof.parity import Reference, compare, with_one_thread
from exporter.proof.rounding import LEAST_BOUND
from exporter.saved_model.loading import Outputs
from trainer.runs.trained_model import MaskedPredictions

MANIFEST = '{"name": "colours"}\n'
EXPECTED = np.array([[0.75, 0.25], [0.125, 0.875], [0.0, 0.0]], np.float32)
REFERENCE = Reference(
    fixtures=[Fixture("a.jpg", b"a", "blue"), Fixture("b.jpg", b"b", "red"), Fixture("c.txt", b"c", None)],
    labels=("blue", "red"),
    predictions=MaskedPredictions(EXPECTED, np.array([True, True, False])),
    pixels=np.zeros((2, 4, 4, 3), np.uint8),
)


def outputs(**changes: Any) -> Outputs:
    """Return answers that agree with the reference, with changes.

    Of `serving_default`, `pixels` or `manifest`, or, as `one_` and the output's name, of `pixels_of_image`.
    """
    default = {
        "probabilities": EXPECTED.copy(),
        "label": np.array([b"blue", b"red", b""], object),
        "valid": np.array([True, True, False]),
        "brightness": np.zeros(3, np.float32),
    }
    single = {
        "pixels": np.zeros((3, 4, 4, 3), np.uint8),
        "valid": default["valid"].copy(),
        "brightness": np.zeros(3, np.float32),
    }
    return {
        "pixels_of_image": {key: changes.get(f"one_{key}", value) for key, value in single.items()},
        "serving_default": default | {key: value for key, value in changes.items() if key in default},
        "serving_pixels": {"probabilities": changes.get("pixels", EXPECTED[:2].copy())},
        "describe": {"manifest": np.array([changes.get("manifest", MANIFEST).encode()], object)},
    }


def off_by(difference: float, row: int, rows: int = 3) -> Any:
    values = EXPECTED[:rows].copy()
    values[row, 0] += difference
    return values


def test_agreement_is_reported_with_the_worst_image() -> None:
    """Answers within the bound pass, and each signature's largest difference is reported with its image."""
    default, pixels = compare("here", outputs(probabilities=off_by(5e-6, row=1)), REFERENCE, MANIFEST)
    assert (default.signature, default.images, default.worst_image) == ("serving_default", 3, "b.jpg")
    assert default.largest_difference == pytest.approx(5e-6, rel=0.02)
    assert (pixels.signature, pixels.images, pixels.largest_difference) == ("serving_pixels", 2, 0.0)


def test_bound_is_a_multiple_of_the_models_own_noise() -> None:
    """What rounding does to the trained model itself is let through eight times over, and then named with the bound."""
    noisy = replace(REFERENCE, noise=RoundingNoise(batch=1e-7, precision=4e-6))
    compare("here", outputs(probabilities=off_by(3e-5, row=1)), noisy, MANIFEST)
    message = r"by 3\.3e-05 on b\.jpg \(bound 3\.2e-05; rounding alone moves this network's by 4e-06 here\); nothing"
    with pytest.raises(ParityError, match=message):
        compare("here", outputs(probabilities=off_by(3.3e-5, row=1)), noisy, MANIFEST)


def test_what_one_thread_answers_is_noise_too() -> None:
    """The difference to the answers on one thread joins the noise; without them the noise stays as it was."""
    noisy = replace(REFERENCE, noise=RoundingNoise(batch=1e-7))
    assert with_one_thread(noisy, None) is noisy
    assert with_one_thread(REFERENCE, EXPECTED[:2]) is REFERENCE
    threaded = with_one_thread(noisy, off_by(5e-6, row=0, rows=2)).noise
    assert threaded is not None
    assert threaded.batch == 1e-7
    assert threaded.largest == pytest.approx(5e-6, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": off_by(2 * LEAST_BOUND, row=1)}, r"serving_default differs .* by 2e-05 on b\.jpg"),
        ({"probabilities": off_by(2 * LEAST_BOUND, row=2)}, r"serving_default differs .* on c\.txt"),
        ({"probabilities": off_by(np.nan, row=0)}, r"serving_default differs .* by nan on a\.jpg"),
        ({"pixels": off_by(-2 * LEAST_BOUND, row=0, rows=2)}, r"serving_pixels differs .* on a\.jpg"),
        ({"valid": np.array([True, False, False])}, r"the model refuses b\.jpg, other than trained"),
        ({"valid": np.array([True, True, True])}, r"the model answers c\.txt, other than trained"),
        ({"label": np.array([b"red", b"red", b""], object)}, r"the model calls a\.jpg 'red', not 'blue'"),
        ({"label": np.array([b"blue", b"red", b"red"], object)}, r"the model calls c\.txt 'red', not ''"),
        (
            {"brightness": np.array([0.0, 0.1, 0.0], np.float32)},
            r"the model says that b\.jpg has a brightness of 0\.100000, and it is 0\.000000",
        ),
        ({"one_valid": np.array([True, False, False])}, r"pixels_of_image refuses b\.jpg, other than trained"),
        ({"one_valid": np.array([True, True, True])}, r"pixels_of_image answers c\.txt, other than trained"),
        (
            {"one_brightness": np.array([0.0, 0.0, 0.5], np.float32)},
            r"pixels_of_image says that c\.txt has a brightness of 0\.500000, and it is 0\.000000",
        ),
        (
            {"one_pixels": np.stack([np.full((4, 4, 3), row == 1, np.uint8) for row in range(3)])},
            r"pixels_of_image makes other pixels of b\.jpg than training did",
        ),
        ({"manifest": "{}"}, "`describe` does not answer with this version's manifest"),
    ],
)
def test_disagreement_is_refused_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    """A probability, a refusal, a label, pixels or a manifest that is another one is refused with what differs."""
    with pytest.raises(ParityError, match=f"^Loaded here, {message}.*; nothing was published|^Loaded here, {message}"):
        compare("here", outputs(**changes), REFERENCE, MANIFEST)
