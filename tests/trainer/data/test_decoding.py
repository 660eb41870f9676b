"""Preprocessing: which files are images, and what becomes of them."""

import io
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.images import animated, encoded, gradient, pixels_of, solid
from tests.trainer.tracing import decoded
from trainer.data.image_headers import NOT_A_IMAGE, read_headers
from trainer.data.preprocessing import scale_pixels

WIDTH, HEIGHT = 40, 30
AS_IS = ImageInput(height=HEIGHT, width=WIDTH)
Pixels = npt.NDArray[np.uint8]


def pixels_or_none(content: bytes) -> Pixels | None:
    batch = decoded([content], AS_IS)
    return np.asarray(batch.pixels.numpy()[0]) if batch.valid.numpy()[0] else None


def sixteen_bit_png() -> bytes:
    values = np.asarray(gradient().convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(values), "PNG")


def top_down_bmp() -> bytes:
    content = bytearray(encoded(gradient().transpose(Image.Transpose.FLIP_TOP_BOTTOM), "BMP"))
    content[22:26] = struct.pack("<i", -HEIGHT)
    return bytes(content)


def bmp_with_fields(masks: tuple[int, int, int]) -> bytes:
    """Return a 32-bit BMP whose channels lie where `masks` says, red, green and blue."""
    pixels = np.asarray(gradient()).astype(np.uint32)[::-1]
    shifts = [mask.bit_length() - 8 for mask in masks]
    words = sum(pixels[..., channel] << np.uint32(shift) for channel, shift in enumerate(shifts))
    body = np.asarray(words, "<u4").tobytes()
    information = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 32, 3, len(body), 0, 0, 0, 0)
    start = 14 + 40 + 12
    return (
        struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + information + struct.pack("<3I", *masks) + body
    )


EXACT: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(gradient(), "JPEG"),
    "progressive JPEG": lambda: encoded(gradient(), "JPEG", progressive=True),
    "gray JPEG": lambda: encoded(gradient().convert("L"), "JPEG"),
    "PNG": lambda: encoded(gradient(), "PNG"),
    "gray PNG": lambda: encoded(gradient().convert("L"), "PNG"),
    "gray PNG with alpha": lambda: encoded(gradient().convert("LA"), "PNG"),
    "palette PNG": lambda: encoded(gradient().quantize(16), "PNG"),
    "one-bit PNG": lambda: encoded(gradient().convert("1"), "PNG"),
    "24-bit BMP": lambda: encoded(gradient(), "BMP"),
    "lossless WebP": lambda: encoded(gradient(), "WEBP", lossless=True),
    "lossy WebP": lambda: encoded(gradient(), "WEBP"),
}


@pytest.mark.parametrize("kind", EXACT)
def test_image_is_decoded_as_pillow_does(kind: str) -> None:
    """An image that is not resized has exactly the pixels that Pillow decodes."""
    content = EXACT[kind]()
    np.testing.assert_array_equal(pixels_or_none(content), pixels_of(content))


def with_alpha() -> Image.Image:
    image = gradient().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: encoded(with_alpha(), "PNG"), id="PNG"),
        pytest.param(lambda: encoded(with_alpha(), "WEBP", lossless=True, exact=True), id="lossless WebP"),
        pytest.param(lambda: encoded(with_alpha(), "BMP"), id="32-bit BMP"),
    ],
)
def test_alpha_is_dropped(content: Callable[[], bytes]) -> None:
    """Of an image with transparency the colours are taken as they are stored."""
    np.testing.assert_array_equal(pixels_or_none(content()), np.asarray(gradient()))


def test_lossy_webp_with_alpha_is_a_image() -> None:
    """A lossy WebP with transparency is decoded near to its colours."""
    pixels = pixels_or_none(encoded(with_alpha(), "WEBP", quality=95, exact=True))
    assert pixels is not None
    assert np.abs(pixels.astype(int) - np.asarray(gradient())).mean() < 5


def test_sixteen_bit_png_is_scaled_to_eight() -> None:
    """A 16-bit PNG has the brightness of its 8-bit sibling, not its low bytes or a clipped value."""
    expected = np.repeat(np.asarray(gradient().convert("L"))[..., None], 3, axis=-1)
    np.testing.assert_array_equal(pixels_or_none(sixteen_bit_png()), expected)


def test_cmyk_jpeg_has_its_colours() -> None:
    """A CMYK JPEG, as Pillow writes it, comes out near to its colours."""
    content = encoded(solid((220, 50, 40), WIDTH, HEIGHT).convert("CMYK"), "JPEG", quality=95)
    pixels = pixels_or_none(content)
    assert pixels is not None
    assert np.abs(pixels.astype(int) - (220, 50, 40)).max() <= 12


def test_bmp_from_top_to_bottom_is_not_upside_down() -> None:
    """A BMP of negative height, whose rows run downwards, is upright."""
    np.testing.assert_array_equal(pixels_or_none(top_down_bmp()), np.asarray(gradient()))


def test_bmp_with_the_usual_bit_fields_is_decoded() -> None:
    """A 32-bit BMP that spells out the usual places of its channels has its colours."""
    content = bmp_with_fields((0x00FF0000, 0x0000FF00, 0x000000FF))
    np.testing.assert_array_equal(pixels_or_none(content), np.asarray(gradient()))


def test_bmp_with_other_bit_fields_is_never_decoded_wrongly() -> None:
    """A 32-bit BMP with its channels in other places is refused, since the decoder would swap its colours."""
    assert pixels_or_none(bmp_with_fields((0x000000FF, 0x0000FF00, 0x00FF0000))) is None


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


REFUSED: dict[str, Callable[[], bytes]] = {
    "palette BMP": lambda: encoded(gradient().quantize(16), "BMP"),
    "gray BMP": lambda: encoded(gradient().convert("L"), "BMP"),
    "GIF": lambda: encoded(gradient(), "GIF"),
    "animated GIF": lambda: animated("GIF"),
    "animated WebP": lambda: animated("WEBP"),
    "TIFF": lambda: encoded(gradient(), "TIFF"),
    "text": lambda: b"This is a text file.\n",
    "empty": lambda: b"",
    "one byte": lambda: b"\xff",
    "zeros": lambda: bytes(1000),
    "only a JPEG's mark": lambda: b"\xff\xd8\xff",
    "only a PNG's mark": lambda: b"\x89PNG\r\n\x1a\n",
    "half a JPEG": lambda: half(encoded(gradient(), "JPEG")),
    "half a PNG": lambda: half(encoded(gradient(), "PNG")),
    "half a BMP": lambda: half(encoded(gradient(), "BMP")),
    "half a WebP": lambda: half(encoded(gradient(), "WEBP")),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_content_is_refused(kind: str) -> None:
    """Content of other kinds, or broken, is not valid and leaves zeros."""
    batch = decoded([REFUSED[kind]()], AS_IS)
    assert batch.valid.numpy().tolist() == [False]
    assert not batch.pixels.numpy().any()


@pytest.mark.parametrize("kind", ["palette BMP", "gray BMP", "GIF", "animated GIF", "animated WebP", "TIFF"])
def test_dangerous_kind_is_known_by_its_header(kind: str) -> None:
    """A kind that a decoder must not see is no image by its first bytes alone."""
    assert read_headers(tf.constant([REFUSED[kind]()[:64]])).kind.numpy().tolist() == [NOT_A_IMAGE]


def test_bad_rows_never_change_their_neighbours() -> None:
    """Whichever rows of a batch are bad, the others have exactly their own pixels, and the bad ones zeros."""
    good = [encoded(solid((10 + 60 * row, 0, 200)), kind) for row, kind in enumerate(["PNG", "JPEG", "BMP", "WEBP"])]
    bad = [b"", half(good[1]), animated("GIF"), b"\x89PNG\r\n\x1a\n" + bytes(60)]
    alone = [pixels_or_none(content) for content in good]
    for subset in range(2 ** len(good)):
        is_bad = [bool(subset >> row & 1) for row in range(len(good))]
        batch = decoded([bad[row] if is_bad[row] else good[row] for row in range(len(good))], AS_IS)
        assert batch.valid.numpy().tolist() == [not here for here in is_bad]
        for row, pixels in enumerate(batch.pixels.numpy()):
            np.testing.assert_array_equal(pixels, np.zeros_like(pixels) if is_bad[row] else alone[row])


def test_empty_batch_gives_an_empty_batch() -> None:
    """No images in, no images out, in the right shape."""
    batch = decoded([], AS_IS)
    assert (batch.pixels.shape, batch.valid.shape) == ((0, HEIGHT, WIDTH, 3), (0,))


@pytest.mark.parametrize("size", [(400, 300), (301, 447), (224, 224), (100, 75), (1600, 16)])
def test_resize_agrees_with_pillow(size: tuple[int, int]) -> None:
    """Resized to 224 with antialias an image is within 2 grey levels of Pillow's, and 0.5 on average."""
    noise = np.random.default_rng(5).normal(0, 40, (size[1], size[0], 3))
    image = Image.fromarray(np.clip(np.asarray(gradient(*size)) + noise, 0, 255).astype(np.uint8))
    ours = decoded([encoded(image, "PNG")], ImageInput(height=224, width=224)).pixels.numpy()[0]
    theirs = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR))
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 2
    assert difference.mean() <= 0.5


def test_without_antialias_the_resize_is_another_one() -> None:
    """Antialias off is followed: a fine pattern, gray with it, keeps its extremes without."""
    stripes = Image.fromarray(np.tile(np.array([[[0] * 3, [255] * 3]], np.uint8), (64, 32, 1)))
    with_it, without = (
        decoded([encoded(stripes, "PNG")], ImageInput(height=21, width=21, antialias=antialias)).pixels.numpy()
        for antialias in (True, False)
    )
    assert with_it.std() < 30 < without.std()


def test_scaling_follows_the_image_input() -> None:
    """Pixels become `pixel * scale + offset - mean`, per channel of the order that the network expects."""
    pixels = tf.constant([[[[10, 20, 200]]]], tf.uint8)
    plain = ImageInput(height=1, width=1, scale=1 / 127.5, offset=-1.0)
    np.testing.assert_allclose(
        scale_pixels(pixels, plain).numpy()[0, 0, 0], np.array([10, 20, 200]) / 127.5 - 1, rtol=1e-6
    )
    caffe = ImageInput(height=1, width=1, channel_order="bgr", mean=(103.939, 116.779, 123.68))
    np.testing.assert_allclose(
        scale_pixels(pixels, caffe).numpy()[0, 0, 0], [200 - 103.939, 20 - 116.779, 10 - 123.68], rtol=1e-6
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "JPEG"])
def test_too_many_pixels_are_refused_and_the_limit_is_allowed(kind: str) -> None:
    """An image of exactly as many pixels as allowed is decoded; with one more than allowed it is refused."""
    content = encoded(gradient(), kind)
    for limit, expected in ((WIDTH * HEIGHT, True), (WIDTH * HEIGHT - 1, False)):
        batch = decoded([content], AS_IS.model_copy(update={"max_pixels": limit}))
        assert batch.valid.numpy().tolist() == [expected]


def test_bytes_after_the_image_do_not_matter() -> None:
    """An image followed by other bytes, as some cameras write it, is decoded."""
    for kind in ("JPEG", "PNG"):
        content = encoded(gradient(), kind)
        np.testing.assert_array_equal(pixels_or_none(content + b"trailing"), pixels_or_none(content))


def test_file_is_read_by_content_and_not_by_name_of_kind() -> None:
    """Pillow, as the judge of these tests, agrees that the drawn files are of the kinds they are called."""
    for name, kind in (("JPEG", "JPEG"), ("palette PNG", "PNG"), ("24-bit BMP", "BMP"), ("lossy WebP", "WEBP")):
        assert Image.open(io.BytesIO(EXACT[name]())).format == kind
