"""Images from public reports come out as Pillow shows them, in the pipeline of training and the served graph."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from contract.image_input import ImageInput
from tests.places import DATA
from trainer.data.preprocessing import ImageDecoder

CASES = DATA.parent / "cases"
WHOLE = (
    "exif-behind-xmp-50k/exif6_after_xmpext_50k.jpg",
    "exif-behind-xmp-50k/exif6_normal.jpg",
    "exif-double-prefix/exif6_double_prefix.jpg",
    "webp-exif-orientation/exif6.webp",
    "panorama-without-end-marker/samsung_no_eoi_trailer.jpg",
    "cmyk-without-adobe-marker/cmyk_no_adobe_marker.jpg",
    "cmyk-without-adobe-marker/cmyk_adobe.jpg",
)
CUT = ("cut-photo-with-thumbnail/thumb_cut_half.jpg",)


def content_of(case: str) -> bytes:
    """Return a file of a case; skip where it is not there."""
    file: Path = CASES / case
    if not file.is_file():
        pytest.skip(f"no reported images at {CASES} (set GRAFT_DATA)")
    return file.read_bytes()


@pytest.fixture(scope="module")
def decoder() -> ImageDecoder:
    """One for the size that all of them have once they are turned."""
    return ImageDecoder(ImageInput(height=240, width=320))


@pytest.mark.parametrize("case", WHOLE)
def test_whole_images_are_as_pillow_shows_them(decoder: ImageDecoder, case: str) -> None:
    """The pixels are those of Pillow's `exif_transpose`."""
    content = content_of(case)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    (pixels,), valid = decoder.decode([content])
    assert valid.all()
    shown = np.asarray(upright.resize((320, 240), Image.Resampling.BILINEAR))
    assert np.abs(pixels.astype(int) - shown).max() <= 2  # Pillow rounds CMYK, and resizes, another way


@pytest.mark.parametrize("case", CUT)
def test_cut_images_are_not_valid(decoder: ImageDecoder, case: str) -> None:
    """Half a photo with a whole thumbnail is not an image."""
    _, valid = decoder.decode([content_of(case)])
    assert not valid.any()
