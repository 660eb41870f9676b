"""JPEGs as cameras and apps write them: without end marker, or of CMYK; what is cut short is still refused."""

import functools
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.images import encoded, gradient, pixels_of
from tests.drawn.oriented import segment
from tests.drawn.unended import TRAILERS, WAYS, noisy, unended, without_adobe
from trainer.data.jpeg.decoding import decode_jpeg
from trainer.data.preprocessing import ImageDecoder

_END = b"\xff\xd9"
_ADOBE = b"\xff\xee\0\x0eAdobe"

Decode = Callable[[bytes], npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def decode() -> Decode:
    """What the graph decodes; InvalidArgument where it refuses."""
    one = functools.partial(decode_jpeg, max_pixels=1_000_000)
    traced = tf.function(one, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    return lambda content: traced(tf.constant(content)).numpy()


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_the_end_is_missing(decode: Decode, way: str, trailer: str) -> None:
    """An image without end marker has the pixels that it has with one, whatever stands in its place."""
    content = unended(way)
    np.testing.assert_array_equal(decode(content + TRAILERS[trailer]), pixels_of(content + _END))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_channels_without_end(decode: Decode, mode: str) -> None:
    """Gray and CMYK images need no end marker either."""
    content = unended("baseline", mode)
    np.testing.assert_array_equal(decode(content), decode(content + _END))


@pytest.mark.parametrize("way", WAYS)
def test_cut_images_are_refused(decode: Decode, way: str) -> None:
    """An image of which any data are missing, be it one byte or nearly all, is never decoded."""
    content = unended(way)
    scan = content.index(b"\xff\xda")
    cuts = [*range(1, 60), *range(60, len(content) - scan - 12, max((len(content) - scan) // 40, 1))]
    for cut in cuts:
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(content[:-cut])


@pytest.mark.parametrize("tail", [bytes(8000), b"text " * 400], ids=["zeros", "text"])
@pytest.mark.parametrize("way", WAYS)
def test_a_filled_rest_is_not_taken_for_data(decode: Decode, way: str, tail: bytes) -> None:
    """A download that broke off, and whose rest is zeros or text, is cut short all the same."""
    content = unended(way)
    for cut in (200, len(content) // 3, len(content) // 2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(content[:-cut] + tail)


def test_a_scan_that_is_missing_whole_is_noticed(decode: Decode) -> None:
    """A progressive image that breaks off between two scans has all its pixels, but not all of their detail."""
    content = unended("progressive")
    last_scan = content.rindex(b"\xff\xda")
    table = content.rindex(b"\xff\xc4", 0, last_scan)
    for end in (last_scan, table):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(content[:end])


def test_a_thumbnails_end_is_not_the_images(decode: Decode) -> None:
    """The end marker in a thumbnail does not make a cut image whole, nor do its scans."""
    whole = unended("progressive")
    thumbnail = segment(0xE1, b"Exif\0\0" + encoded(gradient(), "JPEG"))
    content = whole[:2] + thumbnail + whole[2:]
    np.testing.assert_array_equal(decode(content), decode(whole + _END))
    for cut in (5, len(whole) // 2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(content[:-cut])


def test_training_and_serving_take_them_alike() -> None:
    """In a batch an image without end marker is valid, and a cut one is not; neighbours are not affected."""
    whole = unended("baseline")
    pixels, valid = ImageDecoder(ImageInput(height=48, width=64)).decode([whole, whole[:-300], whole + _END])
    assert valid.tolist() == [True, False, True]
    np.testing.assert_array_equal(pixels[0], pixels[2])


@pytest.mark.parametrize("progressive", [False, True])
def test_cmykwithout_adobes_marker_is_read_as_pillow_reads_it(decode: Decode, progressive: bool) -> None:
    """A CMYK image from which a program took Adobe's marker has the colours that it has with it."""
    with_marker = encoded(noisy("CMYK"), "JPEG", quality=95, progressive=progressive)
    without = without_adobe(with_marker)
    assert np.asarray(Image.open(io.BytesIO(without))).mean() == np.asarray(Image.open(io.BytesIO(with_marker))).mean()
    np.testing.assert_array_equal(decode(without), decode(with_marker))
    assert np.abs(decode(without).astype(int) - pixels_of(without)).max() <= 2  # Pillow rounds another way


def test_a_marker_that_is_there_still_decides(decode: Decode) -> None:
    """YCCK is what Adobe's marker says that it is: without its transformation the colours are others."""
    content = encoded(noisy("CMYK"), "JPEG", quality=95)
    place = content.index(_ADOBE) + 15
    as_ycck = content[:place] + b"\x02" + content[place + 1 :]
    assert np.abs(decode(as_ycck).astype(int) - pixels_of(as_ycck)).max() <= 2
    assert np.abs(decode(as_ycck).astype(int) - decode(content)).max() > 50
