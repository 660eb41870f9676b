"""Files that are not read are named for what they are, in training and in the gateway."""

import numpy as np
import pytest

from contract.image_cost.jpeg import read_frame
from contract.image_input import ImageInput
from gateway.errors import TruncatedImageError, UnsupportedImageError
from gateway.predict.image_guard import check_image
from tests.drawn.images import encoded, gradient
from trainer.data.broken_images import why_broken

INPUT = ImageInput(height=8, width=8)
WHOLE = encoded(gradient(), "JPEG")
FRAME = WHOLE.index(b"\xff\xc0")


def with_frame(marker: int, bits: int = 8) -> bytes:
    """Return a JPEG whose frame has another marker and number of bits."""
    return WHOLE[: FRAME + 1] + bytes([marker]) + WHOLE[FRAME + 2 : FRAME + 4] + bytes([bits]) + WHOLE[FRAME + 5 :]


UNUSUAL = {
    "a lossless JPEG": with_frame(0xC3),
    "a JPEG of 12 bits a sample": with_frame(0xC1, 12),
    "a JPEG of 16 bits a sample": with_frame(0xC0, 16),
    "a hierarchical JPEG": with_frame(0xC5),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_a_jpeg_that_no_usual_decoder_reads_is_named(kind: str) -> None:
    """Both say what it is, and what to do."""
    assert why_broken(UNUSUAL[kind], INPUT) == f"{kind}, which is not read; save it as a usual JPEG, or as PNG"
    with pytest.raises(UnsupportedImageError, match=f"^This is {kind}, which the model does not decode; save it as"):
        check_image(UNUSUAL[kind], ("jpeg", "png", "bmp"), INPUT.max_pixels)


def test_random_bytes_behind_a_header_are_no_unusual_jpeg() -> None:
    """A frame whose length is not that of its components says nothing: junk is damaged or cut short, as before."""
    random = np.random.default_rng(1)
    for marker in (0xC3, 0xC5, 0xC1):
        for _ in range(200):
            frame = read_frame(b"\xff\xd8\xff\xe0\x00\x02\xff" + bytes([marker]) + random.bytes(60))
            assert frame is not None
            assert not frame.unusual_kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_usual_images_are_not_unusual(kind: str) -> None:
    """Eight bits, sequential or progressive, have no name of their own."""
    for more in ({}, {"progressive": True}):
        content = encoded(gradient(), kind, **more)
        frame = read_frame(content)
        assert frame is None or not frame.unusual_kind


@pytest.mark.parametrize(
    ("brands", "words"),
    [
        (b"heic\0\0\0\0mif1heic", "a HEIC, which is not read whatever its name; save it as JPEG, PNG, BMP or WebP"),
        (b"mif1\0\0\0\0mif1heix", "a HEIC, which is not read"),
        (b"avif\0\0\0\0avifmif1miaf", "an AVIF, which is not read"),
        (b"mif1\0\0\0\0avifmif1", "an AVIF, which is not read"),
        (b"isom\0\0\0\0mp42", "a video"),
    ],
)
def test_photos_and_videos_of_phones_under_another_name_are_named(brands: bytes, words: str) -> None:
    """A HEIC or AVIF that is called .jpg is told from text and from damage."""
    content = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(500)
    assert why_broken(content, INPUT).startswith(words)


@pytest.mark.parametrize(("side", "too_large"), [(2000, False), (3000, True)])
def test_an_image_that_is_too_large_to_lack_its_end_is_said_to_be(side: int, too_large: bool) -> None:
    """It would be decoded three times: one of ten scans and nine megapixels is told so, by training and gateway."""
    content = encoded(gradient(), "JPEG", progressive=True)[:-2]
    place = content.index(b"\xff\xc2") + 5
    content = content[:place] + side.to_bytes(2, "big") * 2 + content[place + 4 :]
    assert ("too large to be read without end marker" in why_broken(content, INPUT)) == too_large
    if not too_large:
        assert not check_image(content, INPUT.encodings, 50_000_000, needs_jpeg_end=False).has_end
        return
    with pytest.raises(TruncatedImageError, match="of 9000000 pixels and has no end marker"):
        check_image(content, INPUT.encodings, 50_000_000, needs_jpeg_end=False)
