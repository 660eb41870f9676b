"""Which measurements let a TFLite file into a bundle."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from exporter.bundle.gate import lost_at_most, why_refused
from exporter.bundle.images import TestImages
from exporter.bundle.measurement import measure
from exporter.errors import ConversionError
from exporter.tflite.conversion import convert
from exporter.tflite.graph import PixelGraph, Probabilities
from exporter.tflite.records import Accuracy, ClassRecall, Measurement, Variant
from tests.exporter.tflite_versions import CLASSES, DESCRIPTION, SIZE, draw, mean_colour, save_graph
from trainer.data.pixel_store import MemoryBudget, PixelStore


def accuracy(right: int, images: int = 90) -> Accuracy:
    return Accuracy(right=right, images=images, share=right / images, interval=(0.0, 1.0))


def measured(right: int, difference: float = 1e-6, same_where_clear: float = 1.0) -> Measurement:
    return Measurement(
        accuracy=accuracy(right),
        worst_class=ClassRecall(label="red", images=30, recall=0.5),
        same_prediction=same_where_clear,
        same_prediction_where_clear=same_where_clear,
        largest_difference=difference,
        latency_ms={1: 1.0, 2: 0.6},
        file_bytes=1000,
    )


@pytest.mark.parametrize(("variant", "bound"), [("float32", 2e-3), ("float16", 1e-2)])
def test_floats_may_not_differ_by_more_than_their_bound(variant: Variant, bound: float) -> None:
    """A float file is refused where any probability differs by more than its bound, or is NaN."""
    assert why_refused(variant, measured(80, bound), accuracy(80), 0.01) is None
    assert "a probability differs" in str(why_refused(variant, measured(80, bound * 1.01), accuracy(80), 0.01))
    assert "a probability differs" in str(why_refused(variant, measured(80, float("nan")), accuracy(80), 0.01))


def test_floats_must_agree_where_the_answer_is_clear() -> None:
    """A float file that answers otherwise where two classes are not about equally likely is refused."""
    assert "not all" in str(why_refused("float16", measured(80, same_where_clear=0.98), accuracy(80), 0.01))


def test_integers_are_judged_by_accuracy_alone() -> None:
    """A large difference of one probability does not matter to int8 and dynamic."""
    for variant in ("int8", "dynamic"):
        assert why_refused(variant, measured(80, 0.4, 0.9), accuracy(80), 0.01) is None


@pytest.mark.parametrize(
    ("drop", "images", "allowed"),
    [(0.01, 90, 1), (0.01, 100, 2), (0.03, 90, 3), (0.0, 90, 1), (0.29, 100, 30), (0.01, 9000, 91)],
)
def test_one_image_more_than_the_share_may_be_lost(drop: float, images: int, allowed: int) -> None:
    """At most the given share and one image may be lost, whatever the arithmetic of floats makes of the share."""
    assert lost_at_most(accuracy(images, images), drop) == allowed


def test_a_variant_that_lost_too_much_is_refused_with_both_numbers() -> None:
    """With 90 images and 1 %, one less is let through and two less are not."""
    assert why_refused("int8", measured(79), accuracy(80), 0.01) is None
    assert why_refused("int8", measured(81), accuracy(80), 0.01) is None
    assert why_refused("int8", measured(78), accuracy(80), 0.01) == (
        "it recognises 78 of 90 test images, the SavedModel 80: 2 fewer, and at most 1 may be lost "
        "(1.0% and one image more)"
    )


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> PixelGraph:
    """A graph that tells colours apart."""
    return PixelGraph(save_graph(tmp_path_factory.mktemp("graph"), mean_colour))


def stored(count: int) -> PixelStore[np.uint8]:
    store = PixelStore(count, (SIZE, SIZE, 3), np.uint8, MemoryBudget(100))
    store.write(0, draw(count))
    return store


def images_with(count: int, reference: Probabilities, labels: list[int]) -> TestImages:
    paths = [Path(f"{place}.jpg") for place in range(count)]
    return TestImages(paths, np.array(labels, np.int32), stored(count), stored(count), reference)


def test_measurement_counts_what_it_says(graph: PixelGraph) -> None:
    """Accuracy, worst class, agreement and difference are those of the answers at hand; every image is reported."""
    reference = graph.predict(draw(9))
    reference[0] = [0.0, 0.2, 0.8]  # as if the SavedModel answered the first otherwise, and clearly
    labels = [0, 1, 2, 0, 1, 2, 0, 1, 0]  # the last is red, and said to be blue
    heard: list[int] = []
    content = convert(graph, "float32", draw(3), DESCRIPTION)
    seen, predictions = measure("float32", content, images_with(9, reference, labels), CLASSES, heard.append)
    assert (seen.accuracy.right, seen.accuracy.images) == (8, 9)
    assert seen.accuracy.interval[0] < 8 / 9 < seen.accuracy.interval[1]
    assert (seen.worst_class.label, seen.worst_class.images, seen.worst_class.recall) == ("blue", 4, 0.75)
    assert (seen.same_prediction, seen.same_prediction_where_clear) == (8 / 9, 8 / 9)
    assert seen.largest_difference == pytest.approx(np.abs(predictions - reference).max())
    assert seen.largest_difference > 0.5
    assert sum(heard) == 9
    assert seen.file_bytes == len(content)
    assert set(seen.latency_ms) == {1, 2}
    assert all(0 < milliseconds < 1000 for milliseconds in seen.latency_ms.values())


def test_a_tie_does_not_count_as_another_answer(graph: PixelGraph) -> None:
    """Where the SavedModel's first two classes are as good as equal, either answer is right for a float file."""
    reference = graph.predict(draw(9))
    reference[0] = [0.4995, 0.5005, 0.0]
    content = convert(graph, "float32", draw(3), DESCRIPTION)
    seen, _ = measure("float32", content, images_with(9, reference, [0, 1, 2] * 3), CLASSES, lambda _: None)
    assert (seen.same_prediction, seen.same_prediction_where_clear) == (8 / 9, 1.0)


def test_answers_that_are_not_numbers_are_refused(tmp_path: Path, graph: PixelGraph) -> None:
    """A file that answers NaN cannot be measured."""
    nan = PixelGraph(save_graph(tmp_path, lambda values: mean_colour(values) + tf.math.log(-1.0 - values[:, 0, 0])))
    content = convert(nan, "float32", draw(3), DESCRIPTION)
    with pytest.raises(ConversionError, match="answers test images with NaN"):
        measure("float32", content, images_with(9, graph.predict(draw(9)), [0] * 9), CLASSES, lambda _: None)
