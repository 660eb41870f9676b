"""Converting a graph of pixels to TFLite files."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from exporter.errors import ConversionError
from exporter.tflite.conversion import RAW_PIXELS, convert, spanning_all_values
from exporter.tflite.graph import PixelGraph, Pixels
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.records import Variant
from tests.exporter.tflite_versions import DESCRIPTION, SIZE, convolutions, draw, mean_colour, save_graph

VARIANTS: dict[Variant, float] = {"float32": 1e-5, "float16": 1e-2, "dynamic": 0.05, "int8": 0.1, "int16x8": 0.01}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> PixelGraph:
    """A small network."""
    return PixelGraph(save_graph(tmp_path_factory.mktemp("graph"), convolutions))


@pytest.fixture(scope="module")
def images() -> Pixels:
    """Images of its size, which span all values."""
    return draw(24)


@pytest.fixture(scope="module")
def converted(graph: PixelGraph, images: Pixels) -> Callable[[Variant], bytes]:
    """The files of the small network, each converted once, when it is first needed."""
    return functools.cache(lambda variant: convert(graph, variant, images, DESCRIPTION))


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_answers_as_the_saved_model(
    graph: PixelGraph, images: Pixels, converted: Callable[[Variant], bytes], variant: Variant
) -> None:
    """Each variant takes one image of the model's size and gives the SavedModel's probabilities, within its means."""
    model = LiteModel(converted(variant))
    assert (model.input.name, model.output.name) == ("pixels", "probabilities")
    assert model.input.dtype == "uint8"
    assert (model.input.shape, model.output.shape) == ((1, SIZE, SIZE, 3), (1, 3))
    reference = graph.predict(images)
    assert np.ptp(reference, axis=0).max() > 0.02  # answers that never change would always agree
    np.testing.assert_allclose(model.predict(images), reference, rtol=0, atol=VARIANTS[variant])


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_bytes_each_time(
    graph: PixelGraph, images: Pixels, converted: Callable[[Variant], bytes], variant: Variant
) -> None:
    """Converting a version twice gives the same file."""
    assert convert(graph, variant, images, DESCRIPTION) == converted(variant)


def test_int8_takes_and_gives_integers(converted: Callable[[Variant], bytes]) -> None:
    """The full integer file takes pixels exactly as they are, and gives probabilities in steps of 1/256."""
    model = LiteModel(converted("int8"))
    assert (model.input.dtype, model.input.quantization) == ("uint8", RAW_PIXELS)
    assert model.output.dtype == "uint8"
    assert model.output.quantization is not None
    assert (model.output.quantization.scale, model.output.quantization.zero_point) == (1 / 256, 0)


def test_dim_images_are_refused_for_int8(graph: PixelGraph, images: Pixels) -> None:
    """Representative images that do not reach white would make the file cut off what is brighter: it is refused."""
    with pytest.raises(ConversionError, match=r"not as they are .*; representative images must span 0 to 255\.$"):
        convert(graph, "int8", images // 2, DESCRIPTION)


def test_dim_images_can_be_made_to_span_all_values(graph: PixelGraph, images: Pixels) -> None:
    """With two values of one image moved to 0 and 255, dim images give a file that takes pixels as they are."""
    dim = images // 2 + 20
    spanning = spanning_all_values(dim)
    assert (spanning != dim).sum() == 2
    assert (spanning.min(), spanning.max()) == (0, 255)
    assert LiteModel(convert(graph, "int8", spanning, DESCRIPTION)).input.quantization == RAW_PIXELS


def test_one_grey_image_can_span_all_values() -> None:
    """Where all values are the same, two different places get the 0 and the 255."""
    spanning = spanning_all_values(np.full((1, 4, 4, 3), 90, np.uint8))
    assert sorted(np.unique(spanning)) == [0, 90, 255]


def test_images_that_span_all_values_are_left_alone(images: Pixels) -> None:
    """Nothing is changed where there is a 0 and a 255."""
    assert spanning_all_values(images) is images


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_operation_that_tflite_lacks_is_named(tmp_path: Path, variant: Variant) -> None:
    """A graph that would need an operation beyond TFLite's own is refused in a sentence with its name."""
    graph = PixelGraph(
        save_graph(tmp_path, lambda values: mean_colour(tf.image.resize(values, [8, 8], antialias=True)))
    )
    with pytest.raises(ConversionError, match=rf"\(ScaleAndTranslate\), so that it cannot become {variant}; .*\.$"):
        convert(graph, variant, draw(3), DESCRIPTION)


def test_variables_are_read_too(tmp_path: Path) -> None:
    """A graph whose weights are variables, as older versions have them, converts like one of constants."""
    shift = tf.Variable([0.5, 0.0, -0.5])
    graph = PixelGraph(save_graph(tmp_path, lambda values: tf.nn.softmax(mean_colour(values) + shift), shift))
    model = LiteModel(convert(graph, "float32", draw(3), DESCRIPTION))
    np.testing.assert_allclose(model.predict(draw(6)), graph.predict(draw(6)), rtol=0, atol=1e-6)


def test_integers_need_pixels_that_become_floats(tmp_path: Path) -> None:
    """Where a graph never turns its pixels to floats, no full integer file is tried."""
    root = tf.Module()
    spec = tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8, name="pixels")

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.cast(tf.cast(pixels[:, 0, 0], tf.int32), tf.float32)}

    function = tf.function(serve, autograph=False).get_concrete_function(spec)
    tf.saved_model.save(root, str(tmp_path), signatures={"serving_pixels": function})
    with pytest.raises(ConversionError, match="does not convert its pixels to float32"):
        convert(PixelGraph(tmp_path), "int8", draw(3), DESCRIPTION)
