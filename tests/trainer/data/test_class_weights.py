"""How much each class counts in the loss."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from trainer.data.class_weights import class_weights


def labels(*counts: int) -> npt.NDArray[np.int32]:
    return np.repeat(np.arange(len(counts)), counts).astype(np.int32)


@pytest.mark.parametrize(
    ("counts", "mode", "expected"),
    [
        ((10, 20), "auto", [1, 1]),
        ((10, 21), "auto", [31 / 20, 31 / 42]),
        ((21, 10, 15), "auto", [46 / 63, 46 / 30, 46 / 45]),
        ((10, 21), "off", [1, 1]),
        ((10, 11), "on", [21 / 20, 21 / 22]),
        ((5, 5), "on", [1, 1]),
    ],
)
def test_weights_are_inverse_to_the_counts(
    counts: tuple[int, ...], mode: Literal["auto", "on", "off"], expected: list[float]
) -> None:
    """Where they are on, a class of half the images weighs double; auto begins above twice the smallest."""
    weights = class_weights(labels(*counts), len(counts), mode)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_loss_keeps_its_scale() -> None:
    """The mean weight over all images is 1, and each class counts the same in total."""
    truth = labels(3, 50, 200, 7)
    weights = class_weights(truth, 4, "auto")
    assert weights[truth].mean() == pytest.approx(1, rel=1e-6)
    totals = [weights[truth[truth == label]].sum() for label in range(4)]
    np.testing.assert_allclose(totals, 65, rtol=1e-5)


def test_class_without_images_disturbs_nothing() -> None:
    """A class that has no image weighs 1, and the others as if it were not there."""
    np.testing.assert_allclose(class_weights(labels(10, 0, 30), 3, "on"), [2, 1, 2 / 3], rtol=1e-6)
