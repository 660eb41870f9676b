"""What differs between two runs, and whether the difference in accuracy is more than chance."""

from pathlib import Path

import pytest

from trainer.config import TrainingConfig, read_config
from trainer.evaluation.comparison import (
    Difference,
    compare_predictions,
    configuration_differences,
    shared_test_images,
    verdict_in_words,
)
from trainer.evaluation.predictions_file import HeldOutPrediction


def predicted(digest: str, *, right: bool = True, truth: str = "a", split: str = "test") -> HeldOutPrediction:
    return HeldOutPrediction(split, Path("x.jpg"), digest, truth, truth if right else "other", 0.9)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 2**5),
        (0, 6, 2 / 2**6),
        (8, 2, 2 * (1 + 10 + 45) / 2**10),
        (3, 3, 1.0),
    ],
)
def test_p_value_by_hand(only_a: int, only_b: int, p_value: float) -> None:
    """The p-value is the share of coin throws that are at least as uneven, whatever both models have in common."""
    a = [True] * only_a + [False] * only_b + [True, True, False]
    b = [False] * only_a + [True] * only_b + [True, True, False]
    paired = compare_predictions(a, b)
    assert paired.p_value == pytest.approx(p_value)
    assert (paired.images, paired.only_a_right, paired.only_b_right) == (only_a + only_b + 3, only_a, only_b)
    assert (paired.a_right, paired.b_right) == (only_a + 2, only_b + 2)


def test_answers_to_other_images_cannot_be_compared() -> None:
    """Answers that are not one to one are refused."""
    with pytest.raises(ValueError, match="shorter"):
        compare_predictions([True, False], [True])


def test_shared_images_are_found_by_content() -> None:
    """Test images are the same where their bytes are; validation images and other files do not count."""
    a = [predicted("1"), predicted("2", right=False), predicted("3"), predicted("4", split="val")]
    b = [predicted("2"), predicted("1", right=False), predicted("4"), predicted("5")]
    shared = shared_test_images(a, b)
    assert (shared.a_right, shared.b_right, shared.relabelled) == ([True, False], [False, True], 0)


def test_a_copy_counts_once() -> None:
    """The same file twice in one test set is one image, since its answers are not independent."""
    shared = shared_test_images([predicted("1"), predicted("1")], [predicted("1")])
    assert (shared.a_right, shared.b_right) == ([True], [True])


def test_a_relabelled_image_is_left_out() -> None:
    """An image whose true class differs between the runs does not say which is better."""
    shared = shared_test_images([predicted("1"), predicted("2")], [predicted("1", truth="b"), predicted("2")])
    assert (shared.a_right, shared.b_right, shared.relabelled) == ([True], [True], 1)


def test_a_clear_difference_is_said_plainly() -> None:
    """Where one is right on 40 images that the other gets wrong, it is ahead by more than chance."""
    sentence = verdict_in_words(compare_predictions([True] * 100, [True] * 60 + [False] * 40), "A", "B")
    assert "A is ahead of B by 40.0 points" in sentence
    assert "is more than chance at the 5 % level" in sentence
    assert "100 shared test images." in sentence


def test_a_small_difference_is_not_made_much_of() -> None:
    """Three images more out of a hundred may be chance; the better one is named all the same."""
    sentence = verdict_in_words(compare_predictions([False] * 3 + [True] * 97, [True] * 100), "A", "B")
    assert "B is ahead of A by 3.0 points; the difference is not more than chance" in sentence


def test_few_shared_images_are_called_few() -> None:
    """A test on ten images says that only a large difference could show."""
    assert "too few" in verdict_in_words(compare_predictions([True] * 10, [False] + [True] * 9), "A", "B")


def test_no_shared_images_say_nothing() -> None:
    """Without shared images no significance is claimed."""
    assert verdict_in_words(compare_predictions([], []), "A", "B").startswith("They share no test images")


def test_equal_answers_are_called_equal() -> None:
    """Where both are right and wrong on the same images there is no difference to explain."""
    assert "same images" in verdict_in_words(compare_predictions([True, False], [True, False]), "A", "B")


def test_settings_that_differ_have_dotted_names() -> None:
    """Only the settings that differ are listed, whole lists as one value."""
    other = read_config(None, {"model.alpha": 0.35, "phase_two.unfreeze": [20, 40]})
    assert configuration_differences(TrainingConfig(), other) == [
        Difference("model.alpha", None, 0.35),
        Difference("phase_two.unfreeze", None, [20, 40]),
    ]
    assert configuration_differences(other, other) == []
