"""Buckets of a reference are put together until each has enough of it."""

from hypothesis import given
from hypothesis import strategies as st

from contract.reference import Histogram, ReferenceDistributions
from gateway.drift.buckets import Feature, Grouping, grouping_of
from tests.gateway.drift.references import PIXELS, TWENTIETHS, image_of, reference_of


def grouping_of_counts(counts: list[int], feature: Feature = "brightness") -> Grouping:
    edges = tuple(float(index) for index in range(len(counts) + 1))
    counted = Histogram(edges=edges, counts=tuple(counts))
    classes = {str(index): count for index, count in enumerate(counts)}
    reference = ReferenceDistributions(
        images=sum(counts), predicted=classes, confidence=counted, entropy=counted, size=counted, brightness=counted
    )
    return grouping_of(reference, feature)


def test_neighbours_are_put_together() -> None:
    """Groups of a histogram are neighbours and hold at least ten images each; the rest belongs to the last one."""
    grouping = grouping_of_counts([4, 3, 5, 20, 0, 9, 2, 3])
    assert grouping.group_of == (0, 0, 0, 1, 2, 2, 2, 2)
    assert grouping.regrouped([1, 1, 1, 1, 1, 1, 1, 1]) == [3, 1, 4]


def test_what_lies_beyond_the_reference_is_a_group_of_its_own() -> None:
    """Buckets outside of the reference's range are one group, so that images of another size are not overlooked."""
    assert grouping_of_counts([0, 0, 50, 0]).group_of == (1, 1, 0, 1)
    assert grouping_of_counts([0, 30, 30, 30, 0, 0]).group_of == (3, 0, 1, 2, 3, 3)


def test_rare_classes_are_put_together() -> None:
    """Classes of which the reference has fewer than five are one group, wherever they stand."""
    assert grouping_of_counts([0, 40, 4, 5, 1], "class").group_of == (2, 0, 2, 1, 2)
    assert grouping_of_counts([40, 50], "class").groups == 2


def test_an_empty_reference_has_one_group() -> None:
    """Nothing can be compared with a reference without images."""
    assert grouping_of_counts([0, 0, 0]).groups == 1


def test_the_references_of_real_runs_have_some_groups() -> None:
    """90 images of five classes give five groups of classes and at most nine and one of brightness."""
    images = [image_of("abcde"[index % 5], brightness=0.2 + index / 180) for index in range(90)]
    reference = reference_of(images, "abcde")
    assert (reference.brightness.edges, reference.size.edges) == (TWENTIETHS, PIXELS)
    assert grouping_of(reference, "class").groups == 5
    assert 5 <= grouping_of(reference, "brightness").groups <= 10
    assert grouping_of(reference, "size").groups == 2


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_every_bucket_has_a_group(counts: list[int]) -> None:
    """Whatever the counts are, each bucket is in one group, groups have no gaps, and none inside is tiny."""
    grouping = grouping_of_counts(counts)
    assert len(grouping.group_of) == len(counts)
    assert set(grouping.group_of) == set(range(grouping.groups))
    assert sum(grouping.regrouped(counts)) == sum(counts)
    held = grouping.regrouped(counts)
    assert all(count >= min(10, sum(counts)) or not count for count in held)
