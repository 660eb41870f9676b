"""Images that cost much more than their pixels need are refused, at no cost to the gateway or its other callers."""

import asyncio
import base64
import contextlib
import io
import zlib
from collections.abc import Callable
from functools import partial

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.attack.image_bombs import image_bombs
from benchmarks.attack.images.jpeg import jpeg_bombs
from benchmarks.attack.images.png import zeros
from contract.image_cost.jpeg import NO_FRAME, read_frame
from contract.image_cost.limits import ALWAYS_CHEAP_PNG_BYTES
from contract.image_cost.png import too_much_data
from contract.image_cost.size import declared_pixels
from contract.image_input import Encoding
from gateway.errors import CostlyImageError, ImageError
from gateway.predict.image_guard import check_image
from tests.cpu_time import quiet_cpu_seconds
from tests.fakes.model_server import FakeModelServer
from tests.gateway.protocol_requests import PROTOCOLS, send, sentence_in
from tests.lag import held_up

ENCODINGS: tuple[Encoding, ...] = ("jpeg", "png", "bmp", "webp")
MAX_PIXELS = 50_000_000
MOST_CPU_SECONDS = 0.25
"""Of one image in the gateway. The tests allow twice as much, since machines differ."""

COSTLY = {
    *("jpeg_183_kb_of_scans", "jpeg_444_kb_of_scans", "jpeg_20_mb_of_scans", "jpeg_20_mb_of_scans_of_8_pixels"),
    *("jpeg_90_scans_of_49_megapixels", "jpeg_490_scans_of_49_megapixels", "jpeg_sequential_scans"),
    *("jpeg_scans_and_tables", "jpeg_scans_behind_fill_bytes", "jpeg_scans_of_arithmetic_coding"),
    *("png_1_pixel_and_2_gib", "png_1_pixel_and_20_gib", "png_1_pixel_and_2_gib_in_many_chunks"),
    *("png_100_pixels_interlaced_and_2_gib", "png_4_megapixels_and_3_gib", "png_9_megapixels_and_16_gib"),
    *("png_texts_of_7_mib", "png_international_texts_of_7_mib", "png_texts_behind_the_pixels"),
    "png_profiles_of_7_mib",
}
"""Those that TensorFlow decodes for seconds."""


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """All bombs, by name."""
    return image_bombs()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def speckled(width: int, height: int) -> Image.Image:
    """Return an image with the noise of a photograph."""
    random = np.random.default_rng(7)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).resize((width, height))
    return Image.fromarray((np.asarray(coarse) // 2 + random.integers(0, 60, (height, width, 3))).astype(np.uint8))


def test_every_bomb_takes_little_of_a_processor(bombs: dict[str, bytes]) -> None:
    """Whatever a file of 20 MB holds, the guard takes less than a quarter of a second, accepted or refused."""

    def check(content: bytes) -> None:
        with contextlib.suppress(ImageError):
            check_image(content, ENCODINGS, MAX_PIXELS)

    taken = {name: quiet_cpu_seconds(partial(check, bombs[name]), MOST_CPU_SECONDS) for name in bombs}
    assert {name: seconds for name, seconds in taken.items() if seconds > MOST_CPU_SECONDS} == {}


@pytest.mark.parametrize("name", sorted(COSTLY))
def test_what_would_take_seconds_to_decode_is_refused(bombs: dict[str, bytes], name: str) -> None:
    """It is refused with what is wrong, and what to do."""
    with pytest.raises(CostlyImageError, match=r"would take too long to decode: it has .* save it anew"):
        check_image(bombs[name], ENCODINGS, MAX_PIXELS)


def test_a_bomb_is_refused_by_the_gateway_in_words(own_gateway: httpx.Client, bombs: dict[str, bytes]) -> None:
    """The response is a 422 with its own code; in a form, the other images are predicted."""
    for name in ("jpeg_444_kb_of_scans", "png_4_megapixels_and_3_gib"):
        response = own_gateway.post("/v1/predict", content=bombs[name])
        assert (response.status_code, response.json()["code"]) == (422, "costly_image")
        good = encoded(speckled(40, 30), "JPEG")
        files = [("file", ("bomb", bombs[name])), ("file", ("good", good))]
        first, second = own_gateway.post("/v1/predict", files=files).json()["predictions"]
        assert (first["error"]["code"], "label" in second) == ("costly_image", True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["jpeg_183_kb_of_scans", "png_4_megapixels_and_3_gib"])
def test_a_bomb_is_refused_in_every_protocol(
    own_gateway: httpx.Client, model_server: FakeModelServer, bombs: dict[str, bytes], name: str, protocol: str
) -> None:
    """Also where images are strings of tensors, the model server hears nothing of it; a good image is predicted."""
    called = len(model_server.predict_requests)
    response = send(own_gateway, bombs[name], protocol)
    assert response.status_code == 422
    assert "would take too long to decode: it has more" in sentence_in(response, protocol)
    assert len(model_server.predict_requests) == called
    assert send(own_gateway, encoded(speckled(900, 700), "PNG"), protocol).status_code == 200


def test_many_large_images_in_one_request_are_bounded(own_gateway: httpx.Client, bombs: dict[str, bytes]) -> None:
    """Of six small files of 49 megapixels the first four are predicted; the others are told to come alone."""
    large, small = bombs["png_49_megapixels_of_one_bit"], encoded(speckled(40, 30), "JPEG")
    files = [("file", (str(number), content)) for number, content in enumerate([large] * 6 + [small])]
    predictions = own_gateway.post("/v1/predict", files=files).json()["predictions"]
    assert ["label" in each for each in predictions] == [True] * 4 + [False, False, True]
    refused = predictions[4]["error"]
    assert refused["code"] == "too_many_pixels"
    assert "those before it 196000000; at most 200000000 are accepted in one request" in refused["detail"]


def test_many_large_images_in_one_tensor_are_refused(
    own_gateway: httpx.Client, model_server: FakeModelServer, bombs: dict[str, bytes]
) -> None:
    """In TensorFlow Serving's protocol five files of 49 megapixels are too many, four are handed on."""
    image = base64.b64encode(bombs["webp_49_megapixels"]).decode()
    for count, expected in ((4, 1), (5, 0)):
        called = len(model_server.predict_requests)
        response = own_gateway.post("/v1/models/flowers:predict", json={"instances": [{"b64": image}] * count})
        assert len(model_server.predict_requests) - called == expected
    assert response.status_code == 413
    assert "have 245000000 pixels up to number 4; at most 200000000 are accepted" in response.json()["error"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_pixels_are_read_from_every_header(kind: str) -> None:
    """Width times height of each kind are those that Pillow wrote, also of lossless WebP and with alpha."""
    for image, options in ((speckled(37, 21), {}), (speckled(37, 21), {"lossless": True}), (alpha(37, 21), {})):
        content = encoded(image.convert("RGB") if kind == "JPEG" else image, kind, **options)
        assert declared_pixels(content) == 37 * 21
        assert declared_pixels(content[:9]) == 0
    assert declared_pixels(b"text") == declared_pixels(b"") == 0


def alpha(width: int, height: int) -> Image.Image:
    """Return an image with transparency."""
    image = speckled(width, height).convert("RGBA")
    image.putalpha(Image.new("L", (width, height), 99))
    return image


GOOD: dict[str, Callable[[], bytes]] = {
    "progressive photograph of 12 megapixels": lambda: encoded(speckled(4000, 3000), "JPEG", progressive=True),
    "photograph of 49 megapixels": lambda: jpeg_bombs(20_000_000)["jpeg_49_megapixels_of_noise"],
    "progressive photograph of 49 megapixels": lambda: jpeg_bombs(20_000_000)[
        "jpeg_49_megapixels_of_progressive_noise"
    ],
    "photograph with a preview and a video behind it": lambda: (
        2 * encoded(speckled(400, 300), "JPEG", progressive=True) + np.random.default_rng(1).bytes(10_000_000)
    ),
    "photograph of many segments": lambda: encoded(
        speckled(60, 40), "JPEG", icc_profile=bytes(3_000_000), exif=bytes(60_000), comment=b"a comment"
    ),
    "photograph as PNG": lambda: encoded(speckled(2000, 1500), "PNG", compress_level=1),
    "photograph as PNG without compression": lambda: encoded(speckled(2000, 1500), "PNG", compress_level=0),
    "screenshot": lambda: encoded(Image.effect_mandelbrot((3840, 2160), (-3, -2.5, 2, 2.5), 99), "PNG"),
    "flat PNG of 49 megapixels": lambda: encoded(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1),
    "PNG with a large profile": lambda: encoded(speckled(900, 900), "PNG", icc_profile=np.random.bytes(2_000_000)),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_images_are_accepted(name: str) -> None:
    """Large, progressive, uncompressed and annotated images are not taken for bombs."""
    assert check_image(GOOD[name](), ENCODINGS, MAX_PIXELS).pixels > 0


def test_an_event_loop_goes_on_while_bombs_are_checked(bombs: dict[str, bytes]) -> None:
    """In a thread, no search of 20 MB holds Python's lock for long."""

    def check_all() -> None:
        for content in bombs.values():
            with contextlib.suppress(ImageError):
                check_image(content, ENCODINGS, MAX_PIXELS)

    waited = asyncio.run(held_up(lambda: asyncio.to_thread(check_all), enough=0.5))
    assert (waited.seconds < 0.5, waited.times_run > 20) == (True, True), waited


def png_of(side: int, data: bytes) -> bytes:
    """Return a gray PNG with the data given."""
    good = encoded(Image.new("L", (side, side)), "PNG")
    start, end = good.index(b"IDAT") - 4, good.index(b"IEND") - 4
    chunk = len(data).to_bytes(4, "big") + b"IDAT" + data + zlib.crc32(b"IDAT" + data).to_bytes(4, "big")
    return good[:start] + chunk + good[end:]


def test_data_behind_the_pixels_is_found_however_it_is_hidden() -> None:
    """Noise as pixels and zeros behind them, in one stream that is shorter than the pixels themselves, is refused."""
    side = 1500
    noise = np.random.default_rng(3).integers(0, 16, (side, side + 1), np.uint8)
    noise[:, 0] = 0  # no filter
    packer = zlib.compressobj(6)
    pixels = packer.compress(noise.tobytes())
    good = png_of(side, pixels + packer.copy().flush())
    bomb = png_of(side, pixels + packer.flush(zlib.Z_FULL_FLUSH) + zeros(900)[2:])
    assert ALWAYS_CHEAP_PNG_BYTES < len(bomb) < side * side
    assert too_much_data(good) == ""
    assert "more data than its 1500 x 1500 pixels" in too_much_data(bomb)


def test_the_frame_is_found_as_decoders_find_it() -> None:
    """Fill bytes, stray bytes and segments in front of it do not hide a JPEG's size; too many segments are refused."""
    jpeg = encoded(speckled(30, 20), "JPEG")
    comment = b"\xff\xfe\x00\x04\xff\xc0"
    for between in (b"", b"\xff" * 9, b"\0\0", b"\xff\0\xff\0", comment * 90, comment + b"\xff" * 70):
        frame = read_frame(jpeg[:2] + between + jpeg[2:])
        assert frame is not None
        assert (frame.width, frame.height) == (30, 20)
    assert read_frame(jpeg[:2] + comment * 1001 + jpeg[2:]) is None
    for without in (b"\xff\xd8", b"\xff\xd8" + b"\xff" * 50, b"\xff\xd8" + bytes(50), jpeg[:2] + comment):
        assert read_frame(without) == NO_FRAME
