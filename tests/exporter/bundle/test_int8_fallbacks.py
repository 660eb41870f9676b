"""What is made of the variants that were asked for, and what stands in for int8."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from exporter.bundle.images import TestImages
from exporter.bundle.int8_fallbacks import try_variants
from exporter.bundle.variants import AcceptedVariant, VariantInputs
from exporter.errors import ConversionError, LiteGateError
from exporter.tflite.graph import PixelGraph
from exporter.tflite.records import RefusedVariant, Requested
from tests.exporter.conftest import Counting
from tests.exporter.tflite_versions import DESCRIPTION, SIZE, Prediction, draw, mean_colour, save_graph, washed_out
from trainer.data.pixel_store import MemoryBudget, PixelStore


@contextmanager
def inputs(folder: Path, prediction: Prediction, labels: list[int] | None = None) -> Iterator[VariantInputs]:
    """Set up 30 test images of which the SavedModel gets all right, unless other `labels` are given."""
    graph, budget = PixelGraph(save_graph(folder, prediction)), MemoryBudget(100)
    stores = [PixelStore(30, (SIZE, SIZE, 3), np.uint8, budget) for _ in range(2)]
    for store in stores:
        store.write(0, draw(30, seed=1))
    reference = graph.predict(draw(30, seed=1))
    truth = np.array(labels, np.int32) if labels else reference.argmax(axis=1).astype(np.int32)
    paths = [Path(f"{place}.jpg") for place in range(30)]
    images = TestImages(paths, truth, stores[0], stores[1], reference)
    yield VariantInputs(graph, draw(12), images, DESCRIPTION, 0.01, Counting())
    images.close()


def named(results: list[AcceptedVariant | RefusedVariant]) -> dict[str, str]:
    """Return what came of each variant."""
    return {
        result.record.variant if isinstance(result, AcceptedVariant) else result.variant: "written"
        if isinstance(result, AcceptedVariant)
        else "refused"
        for result in results
    }


def test_all_that_are_good_are_written(tmp_path: Path) -> None:
    """A network that quantizes well passes in every variant, with its file and its name."""
    variants: list[Requested] = ["float32", "float16", "dynamic", "int8"]
    with inputs(tmp_path, mean_colour) as variant_inputs:
        results = try_variants(variant_inputs, variants)
    assert named(results) == dict.fromkeys(variants, "written")
    first = results[0]
    assert isinstance(first, AcceptedVariant)
    assert (first.record.file, first.record.measured.file_bytes) == ("model-float32.tflite", len(first.content))
    assert first.record.phone_resize.same_prediction == 1.0
    assert isinstance(variant_inputs.progress, Counting)
    assert variant_inputs.progress.done == variant_inputs.progress.announced


def test_what_stands_in_for_int8_passes_the_gate_itself(tmp_path: Path) -> None:
    """Where int8 loses too much, what was tried is told with numbers, and the quickest that passes is written."""
    with inputs(tmp_path, washed_out) as variant_inputs:
        results = try_variants(variant_inputs, ["float32", "int8"])
    said = named(results)
    assert (said["float32"], said["int8"]) == ("written", "refused")
    assert sorted([said["int16x8"], said["dynamic"]]) == ["refused", "written"]
    (int8,) = [result for result in results if isinstance(result, RefusedVariant) and result.variant == "int8"]
    assert int8.reason.startswith("It recognises ")
    assert int8.measured is not None
    assert [sentence.split(":")[0] for sentence in int8.tried_next] == [
        "weights by channel",
        "activations of 16 bits (int16x8)",
        "only weights (dynamic)",
    ]
    assert all("30 of 30 right" in sentence for sentence in int8.tried_next[1:])
    (instead,) = [result for result in results if isinstance(result, AcceptedVariant) and result.record.instead_of]
    assert instead.record.instead_of == "int8"
    assert instead.record.measured.accuracy.right == 30
    (slower,) = [result for result in results if isinstance(result, RefusedVariant) and result.tried_for]
    assert slower.measured is not None
    assert instead.record.measured.latency_ms[1] <= slower.measured.latency_ms[1]
    assert (slower.tried_for, slower.reason) == (
        "int8",
        f"It is good enough, but {instead.record.variant} is too, and quicker.",
    )


def test_what_was_asked_for_anyway_stands_for_itself(tmp_path: Path) -> None:
    """Where dynamic was asked for beside int8, it is made once, and not called a stand-in."""
    with inputs(tmp_path, washed_out) as variant_inputs:
        results = try_variants(variant_inputs, ["dynamic", "int8"])
    dynamic = [
        result for result in results if isinstance(result, AcceptedVariant) and result.record.variant == "dynamic"
    ]
    assert [result.record.instead_of for result in dynamic] == [None]


def test_without_int8_nothing_else_is_tried(tmp_path: Path) -> None:
    """What nobody asked for is not made where int8 was not asked for either."""
    with inputs(tmp_path, washed_out) as variant_inputs:
        assert named(try_variants(variant_inputs, ["float32"])) == {"float32": "written"}


def test_if_nothing_is_good_enough_all_reasons_are_told(tmp_path: Path) -> None:
    """With no variant left the gate says no, and why for each, fallbacks included."""
    with inputs(tmp_path, mean_colour, labels=[1] * 30) as variant_inputs:
        variant_inputs.images.reference[:] = [0.0, 1.0, 0.0]  # as if the SavedModel saw green in all of them
        with pytest.raises(LiteGateError, match=r"^No variant is good enough, so nothing was written\. ") as told:
            try_variants(variant_inputs, ["float32", "int8"])
    assert [f"{variant}: " in str(told.value) for variant in ("float32", "int8", "int16x8", "dynamic")] == [True] * 4


def test_if_nothing_can_be_converted_the_operation_is_named(tmp_path: Path) -> None:
    """Where TFLite lacks an operation, that is the error, not the gate."""

    def resized(values: tf.Tensor) -> tf.Tensor:
        return mean_colour(tf.image.resize(values, [8, 8], antialias=True))

    with inputs(tmp_path, resized) as variant_inputs, pytest.raises(ConversionError, match="ScaleAndTranslate"):
        try_variants(variant_inputs, ["float32", "int8"])
