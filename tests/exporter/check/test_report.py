"""How answers are held against a reference: what counts as broken, and what the numbers are."""

from collections.abc import Sequence

import numpy as np
import pytest

from exporter.check.images import ImageBatch
from exporter.check.predictor import PredictedBatch
from exporter.check.report import MOST_NAMED, CheckReport, PredictorResult, Tally

LABELS = ("blue", "green", "red")
EXPECTED = PredictedBatch(
    np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.0, 0.0, 0.0]], np.float32), np.array([True, True, False])
)
NAMES = ("a.jpg", "b.jpg", "c.txt")


class SilentPredictor:
    """A predictor that is never asked here."""

    name = "silent"
    bound: float | None = None
    timed = False

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Never called."""
        raise AssertionError


PREDICTOR = SilentPredictor()


def tallied(seen: PredictedBatch, bound: float | None = 1e-4, expected: PredictedBatch = EXPECTED) -> PredictorResult:
    tally = Tally(PREDICTOR, LABELS)
    tally.add(NAMES[: len(seen.valid)], expected, seen, bound)
    return tally.result()


def changed(row: int, column: int, by: float, labels: Sequence[str] | None = None) -> PredictedBatch:
    probabilities = EXPECTED.probabilities.copy()
    probabilities[row, column] += by
    return PredictedBatch(probabilities, EXPECTED.valid, None if labels is None else tuple(labels))


def test_answers_within_the_bound_agree() -> None:
    """A difference below the bound is reported with its image, and breaks nothing."""
    row = tallied(changed(1, 0, 5e-5))
    assert (row.verdict, row.broken, row.breaches) == ("agrees", 0, ())
    assert (row.images, row.predicted, row.worst_image, row.top1_agreement) == (3, 2, "b.jpg", 1.0)
    assert row.largest_difference == pytest.approx(5e-5, rel=0.01)
    assert row.mean_difference == pytest.approx(2.5e-5, rel=0.01)


def test_answers_beyond_the_bound_name_the_image() -> None:
    """A larger difference breaks the bound, and says on which image and by how much."""
    row = tallied(changed(0, 2, 2e-4))
    assert (row.verdict, row.broken) == ("breaks its bound", 1)
    (breach,) = row.breaches
    assert (breach.image, breach.kind, breach.what) == ("a.jpg", "probability", "off by 0.0002")
    assert breach.difference == row.largest_difference


def test_what_is_no_number_breaks_every_bound() -> None:
    """NaN is never within a bound, not even where there is none, and stays the worst."""
    for bound in (1e-4, None):
        row = tallied(changed(0, 2, np.nan), bound)
        assert (row.broken, row.worst_image) == (1, "a.jpg")
        assert np.isnan(row.largest_difference or 0)


def test_refusals_must_be_the_same() -> None:
    """Who answers what must be refused, or refuses what must be answered, is broken without a difference."""
    row = tallied(PredictedBatch(EXPECTED.probabilities, np.array([False, True, True])))
    assert [(breach.image, breach.what, breach.difference) for breach in row.breaches] == [
        ("a.jpg", "refused, and must be answered", None),
        ("c.txt", "answered, and must be refused", None),
    ]
    assert (row.broken, row.predicted, row.largest_difference) == (2, 1, 0.0)


def test_a_right_refusal_does_not_count() -> None:
    """Where a server is right to refuse a file that others decode, that file is not compared."""
    refused = PredictedBatch(
        EXPECTED.probabilities, np.array([False, True, False]), counts=np.array([False, True, True])
    )
    row = tallied(refused)
    assert (row.broken, row.images) == (0, 2)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["blue", "red", ""], None),
        (["green", "red", ""], "called 'green', and most probable is 'blue'"),
        (["azure", "red", ""], "called 'azure', and most probable is 'blue'"),
        (["blue", "red", "red"], "refused, and called 'red'"),
    ],
)
def test_labels_must_be_right(labels: list[str], told: str | None) -> None:
    """A label must be that of the largest probability; a refused image has none."""
    row = tallied(changed(0, 0, 0.0, labels))
    assert [breach.what for breach in row.breaches] == ([] if told is None else [told])


def test_either_of_two_equal_classes_is_a_right_label() -> None:
    """Where two classes are equally probable either may be the label."""
    seen = PredictedBatch(np.array([[0.4, 0.4, 0.2]], np.float32), np.array([True]), ("green",))
    assert tallied(seen, expected=PredictedBatch(seen.probabilities, seen.valid)).broken == 0


def test_without_a_bound_only_agreement_is_told() -> None:
    """A quantised file may differ on single images, and how often the answer is the same is counted."""
    row = tallied(changed(1, 0, 0.75), bound=None)
    assert (row.verdict, row.broken, row.bounds, row.top1_agreement) == ("no bound", 0, (), 0.5)


def test_reference_is_compared_with_nobody() -> None:
    """Who is only the reference has no numbers but its time."""
    tally = Tally(PREDICTOR, LABELS)
    tally.milliseconds += [3.0, 1.0, 2.0]
    row = tally.result()
    assert (row.verdict, row.images, row.largest_difference, row.bounds) == ("reference", 0, None, ())
    assert row.latency_p50_ms == 2.0


def test_named_images_end_somewhere_and_counted_ones_do_not() -> None:
    """Of another model every image is broken: all are counted, and the first ones named."""
    tally = Tally(PREDICTOR, LABELS)
    seen = changed(0, 0, 0.1)
    for _ in range(MOST_NAMED + 10):
        tally.add(NAMES, EXPECTED, seen, 1e-4)
    row = tally.result()
    assert (row.broken, len(row.breaches)) == (MOST_NAMED + 10, MOST_NAMED)


def test_one_broken_row_fails_the_check() -> None:
    """A check passes when nobody broke a bound."""
    good, bad = tallied(changed(0, 0, 0.0)), tallied(changed(0, 0, 0.1))
    assert CheckReport("colours", 1, "sha256:0", {"fixtures": 3}, (good, good), ()).passed
    assert not CheckReport("colours", 1, "sha256:0", {"fixtures": 3}, (good, bad), ()).passed


def test_each_image_is_held_against_the_bound_of_its_kind() -> None:
    """Fixtures and other images may have different bounds; both are told, and each image has its own."""
    tally = Tally(PREDICTOR, LABELS)
    seen = changed(0, 2, 5e-5)
    tally.add(NAMES, EXPECTED, seen, 1e-5)
    tally.add(["other.jpg", *NAMES[1:]], EXPECTED, seen, 1e-4)
    row = tally.result()
    assert row.bounds == (1e-5, 1e-4)
    assert [breach.image for breach in row.breaches] == ["a.jpg"]
