"""The extension's resize has the bits of its reference in NumPy, and both have those of TensorFlow."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserver.engines.pixels.errors import UnprovedImageError
from modelserver.engines.pixels.resize import resize
from modelserver.model.decoded_images import Pixels
from tests.modelserver.engines.pixels import reference
from tests.modelserver.engines.pixels.extension import NOT_BUILT

EXTENSION: Any = pytest.importorskip("modelserver.engines.pixels.kernel", reason=NOT_BUILT)
"""Without its types, so that it can be given what it refuses."""

SIZES = st.integers(1, 300) | st.sampled_from([1, 2, 3, 224, 448, 1023])
LONG = st.sampled_from([1, 2, 3, 4099, 65_500])


def drawn(height: int, width: int, seed: int = 0) -> Pixels:
    """Return pixels of chance, half of them black or white."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 256, (height, width, 3), np.uint8)
    return np.where(chance.random((height, width, 3)) < 0.5, pixels // 128 * 255, pixels).astype(np.uint8)


def assert_same(image: Pixels, height: int, width: int, antialias: bool) -> None:
    """Compare the extension with the reference."""
    found, total = resize(image, height, width, antialias=antialias)
    np.testing.assert_array_equal(found, reference.resize(image, height, width, antialias=antialias))
    assert total == int(found.sum(dtype=np.int64))


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, st.integers(1, 64), st.integers(1, 64), st.booleans(), st.integers(0, 9))
def test_any_size_to_any_size(height: int, width: int, rows: int, columns: int, antialias: bool, seed: int) -> None:
    """Larger and smaller, in one direction or both: the reference's bits."""
    assert_same(drawn(height, width, seed), rows, columns, antialias)


@settings(max_examples=15, deadline=None)
@given(LONG, st.integers(1, 3), st.sampled_from([1, 2, 3, 24, 224]), st.booleans(), st.booleans())
def test_long_and_thin_images(long: int, short: int, target: int, antialias: bool, lying: bool) -> None:
    """Up to 65,500 pixels in one direction, to any target: the reference's bits."""
    height, width = (short, long) if lying else (long, short)
    assert_same(drawn(height, width), target, max(target // 2, 1), antialias)


@settings(max_examples=100, deadline=None)
@given(
    *(st.integers(1, 60), st.integers(1, 60)),
    *(st.integers(-3, 3).filter(bool), st.integers(-3, 3).filter(bool), st.sampled_from([1, -1, 2])),
    *(st.booleans(), st.booleans()),
)
def test_strides_of_any_kind(
    height: int, width: int, down: int, across: int, channels: int, swapped: bool, antialias: bool
) -> None:
    """Views that skip, go backwards or swap axes have the bits of their copies."""
    whole = drawn(height * abs(down), width * abs(across))
    whole = np.concatenate([whole, whole], axis=2)[..., : 3 * abs(channels)]
    view = whole[::down, ::across, ::channels]
    view = view.transpose(1, 0, 2) if swapped else view
    found, _ = resize(view, 17, 23, antialias=antialias)
    copied, _ = resize(np.ascontiguousarray(view), 17, 23, antialias=antialias)
    np.testing.assert_array_equal(found, copied)
    assert_same(view, 17, 23, antialias)


def test_an_image_may_be_read_only_and_repeat_itself() -> None:
    """Bytes that cannot be written, and strides of 0, are read as they are."""
    repeated = np.broadcast_to(drawn(1, 40), (30, 40, 3))
    assert_same(repeated, 12, 9, True)
    assert_same(np.frombuffer(bytes(range(240)), np.uint8).reshape(8, 10, 3), 5, 5, False)


@pytest.mark.parametrize("antialias", [True, False])
def test_the_bits_are_tensorflows(antialias: bool) -> None:
    """On sizes of chance and of photographs, to the sizes of networks: what `tf.image.resize` and `tf.round` make."""

    def resized(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.round(tf.image.resize(image, size, "bilinear", antialias=antialias)), tf.uint8)

    specs = [tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([2], tf.int32)]
    by_tensorflow = tf.function(resized, input_signature=specs)
    chance = np.random.default_rng(7)
    sizes = [(500, 375), (375, 500), (240, 320), (224, 224), (1, 1), (65_500, 1), (1, 65_500), (3, 2)]
    sizes += [tuple(chance.integers(1, 400, 2).tolist()) for _ in range(60)]
    for number, (height, width) in enumerate(sizes):
        for target in ((224, 224), (24, 24), (7, 301)):
            image = drawn(height, width, number)
            found, _ = resize(image, *target, antialias=antialias)
            expected = by_tensorflow(image, tf.constant(target)).numpy()
            np.testing.assert_array_equal(found, expected, err_msg=f"{height} x {width} to {target}")


def test_values_are_never_out_of_bounds() -> None:
    """White stays white and black black, whatever the rounding of the weights."""
    for height, width in ((1, 1), (37, 91), (999, 3), (4096, 5)):
        for value in (0, 255):
            for antialias in (True, False):
                found, _ = resize(np.full((height, width, 3), value, np.uint8), 67, 53, antialias=antialias)
                assert (found == value).all()


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((4, 4), np.uint8), "three axes"),
        (np.zeros((4, 4, 3), np.float32), "three axes"),
        (np.zeros((4, 4, 3), np.int8), "three axes"),
        (np.zeros((4, 4, 3), np.bool_), "three axes"),
        (np.zeros((4, 4, 4), np.uint8), "3 channels, not 4"),
        (np.zeros((0, 4, 3), np.uint8), "not 0 and 4"),
        (np.broadcast_to(np.zeros(3, np.uint8), (2, 2**24 + 1, 3)), "not 2 and 16777217"),
        (b"bytes", "three axes"),
    ],
)
def test_what_is_not_an_image_is_refused(image: object, sentence: str) -> None:
    """Another type or shape is refused in a sentence, and nothing is written."""
    result = np.full((3, 3, 3), 9, np.uint8)
    with pytest.raises(ValueError, match=sentence):
        EXTENSION.resize(image, result, True)
    assert (result == 9).all()


def test_what_cannot_be_written_is_refused() -> None:
    """The result must be writable, contiguous pixels of three channels."""
    image = drawn(5, 5)
    for result in (
        np.zeros((3, 6, 3), np.uint8)[:, ::2],
        b"123",
        "text",
        np.zeros((3, 3, 3), np.uint8).data.toreadonly(),
    ):
        with pytest.raises((ValueError, BufferError, TypeError)):
            EXTENSION.resize(image, result, True)
    with pytest.raises(ValueError, match="the result must have 3 channels"):
        EXTENSION.resize(image, np.zeros((3, 3, 1), np.uint8), True)


def test_what_the_extension_refuses_is_not_proved() -> None:
    """The decoder hears of an image that is too large by its kind, and leaves it to TensorFlow."""
    with pytest.raises(UnprovedImageError, match="very many rows"):
        resize(np.broadcast_to(np.zeros(3, np.uint8), (1, 2**24 + 1, 3)), 2, 2, antialias=True)
