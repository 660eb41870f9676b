"""What may become part of a convolution, and that the answers stay the same."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from exporter.saved_model.folding import fold_layers

SIZE = 9
layers = keras.layers


def network(build: Callable[[Any], Any], size: int = SIZE) -> Any:
    """Build a model of one image, whose BatchNorm statistics are random, and not those they begin with."""
    images = keras.Input((size, size, 4))
    model = keras.Model(images, build(images))
    _randomise(model)
    return model


def _randomise(model: Any) -> None:
    random = np.random.default_rng(3)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])


def assert_same_predictions(model: Any, folded: Any) -> None:
    images = np.random.default_rng(4).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(folded(images, training=False), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert expected.std() > 1e-3


def names_of(model: Any) -> set[str]:
    return {layer.name for layer in model._flatten_layers(include_self=False)}


def normed(convolution: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda x: layers.ReLU()(layers.BatchNormalization(name="norm", **options)(convolution(x)))


@pytest.mark.parametrize(
    "build",
    [
        normed(layers.Conv2D(6, 3, use_bias=False)),
        normed(layers.Conv2D(6, 3, strides=2, padding="same")),
        normed(layers.Conv2D(8, 3, groups=2, dilation_rate=2)),
        normed(layers.DepthwiseConv2D(3, use_bias=False)),
        normed(layers.DepthwiseConv2D(3, depth_multiplier=3)),
        normed(layers.Conv2D(6, 1), scale=False),
        normed(layers.Conv2D(6, 1), center=False, epsilon=0.1),
    ],
)
def test_norm_behind_a_convolution_is_folded(build: Callable[[Any], Any]) -> None:
    """Whatever the convolution's strides, groups, bias or multiplier, BatchNorm becomes part of it."""
    model = network(build)
    before = [np.array(weight) for weight in model.get_weights()]
    folded = fold_layers(model)
    assert (folded.folded, folded.kept) == (("norm",), ())
    assert "norm" not in names_of(folded.model)
    assert_same_predictions(model, folded.model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def two_readers(x: Any) -> Any:
    convolved = layers.Conv2D(4, 3, padding="same")(x)
    return layers.Add()([convolved, layers.BatchNormalization(name="norm")(convolved)])


def shared_convolution(x: Any) -> Any:
    convolution = layers.Conv2D(4, 3)
    return layers.Add()([layers.BatchNormalization(name="norm")(convolution(x)), convolution(-x)])


@pytest.mark.parametrize(
    "build",
    [
        normed(layers.Conv2D(6, 3, activation="relu")),
        normed(layers.ReLU()),
        normed(layers.Conv2DTranspose(6, 3)),
        normed(layers.Conv2D(7, 3, padding="same"), axis=1),
        two_readers,
        shared_convolution,
    ],
)
def test_norm_that_cannot_be_folded_stays(build: Callable[[Any], Any]) -> None:
    """Behind an activation, another layer, or a convolution that somebody else reads, BatchNorm stays as it is."""
    model = network(build)
    folded = fold_layers(model)
    assert (folded.folded, folded.kept) == ((), ("norm",))
    assert_same_predictions(model, folded.model)


def padded(zeros: Any, convolution: Any) -> Callable[[Any], Any]:
    return lambda x: layers.BatchNormalization(name="norm")(convolution(layers.ZeroPadding2D(zeros, name="pad")(x)))


@pytest.mark.parametrize(
    ("zeros", "size", "convolution", "is_merged"),
    [
        (((0, 1), (0, 1)), 8, layers.DepthwiseConv2D(3, strides=2), True),
        (((1, 1), (1, 1)), 9, layers.Conv2D(4, 3, strides=2), True),
        (((2, 2), (2, 2)), 9, layers.DepthwiseConv2D(5), True),
        (((0, 1), (0, 1)), 9, layers.DepthwiseConv2D(3, strides=2), False),
        (((3, 3), (3, 3)), 8, layers.Conv2D(4, 7, strides=2), False),
        (((1, 0), (1, 0)), 8, layers.Conv2D(4, 3, strides=2), False),
        (((1, 1), (1, 1)), 9, layers.Conv2D(4, 3, padding="same"), False),
        (((1, 1), (1, 1)), 9, layers.Conv2D(4, 3, dilation_rate=2), False),
    ],
)
def test_zeros_are_merged_only_where_the_convolution_would_add_the_same(
    zeros: Any, size: int, convolution: Any, is_merged: bool
) -> None:
    """Zero padding goes if "same" means these very zeros for this size, and else stays; the norm goes anyway."""
    model = network(padded(zeros, convolution), size)
    folded = fold_layers(model)
    assert folded.merged == (("pad",) if is_merged else ())
    assert folded.folded == ("norm",)
    assert_same_predictions(model, folded.model)


def test_padding_with_another_reader_stays() -> None:
    """What two layers read cannot become part of one of them."""

    def build(x: Any) -> Any:
        zeros = layers.ZeroPadding2D(1, name="pad")(x)
        return layers.Concatenate()([layers.Conv2D(4, 3)(zeros), layers.Cropping2D(1)(zeros)])

    model = network(build)
    folded = fold_layers(model)
    assert folded.merged == ()
    assert_same_predictions(model, folded.model)


def test_models_inside_models_are_folded() -> None:
    """A base inside a model, as training makes it, is folded too, and used as often as before."""
    inner = network(lambda x: layers.BatchNormalization(name="inner_norm")(layers.Conv2D(4, 3, padding="same")(x)))

    def build(x: Any) -> Any:
        return layers.Dense(3)(layers.GlobalAveragePooling2D()(inner(inner(x))))

    model = network(build)
    folded = fold_layers(model)
    assert folded.folded == ("inner_norm",)
    assert "inner_norm" not in names_of(folded.model)
    assert_same_predictions(model, folded.model)


def test_norm_behind_an_output_stays() -> None:
    """A convolution whose values the model itself gives away keeps them as they are."""
    images = keras.Input((SIZE, SIZE, 4))
    convolved = layers.Conv2D(4, 3)(images)
    model = keras.Model(images, [convolved, layers.BatchNormalization(name="norm")(convolved)])
    assert fold_layers(model).kept == ("norm",)
