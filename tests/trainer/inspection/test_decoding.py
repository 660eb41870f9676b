"""Images decoded without TensorFlow have the pixels of training, and what it cannot decode is refused here too."""

import io
import random
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.awkward_files import awkward_rows, content_of
from tests.drawn.images import animated, encoded, exif, gradient, solid, speckled
from tests.drawn.oriented import EXIF, Tiff, jpeg, png, segment, webp
from tests.drawn.unended import TRAILERS, WAYS, unended
from trainer.data.preprocessing import ImageDecoder
from trainer.inspection.decoding import PillowDecoder
from trainer.inspection.resizing import resize

INPUT = ImageInput(height=48, width=64, max_pixels=2_000_000)
TRAINING = ImageDecoder(INPUT)
_HEADER = 32
"""Bytes of a header: Pillow is stricter than TensorFlow with a WebP whose lengths do not fit."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[PillowDecoder]:
    """The decoder without TensorFlow."""
    with PillowDecoder(INPUT) as made:
        yield made


def differences(decoder: PillowDecoder, contents: dict[str, bytes]) -> dict[str, object]:
    """Return the largest difference in levels of each image whose pixels differ, and who decodes what one only does."""
    here, there = (each.decode_variants(list(contents.values())) for each in (decoder, TRAINING))
    assert here.valid.any()
    found: dict[str, object] = {}
    for number, name in enumerate(contents):
        if here.valid[number] != there.valid[number]:
            found[name] = f"here {here.valid[number]}, in training {there.valid[number]}"
        elif (here.pixels[number] != there.pixels[number]).any() or (here.sizes[number] != there.sizes[number]).any():
            found[name] = int(np.abs(here.pixels[number].astype(int) - there.pixels[number]).max())
    return found


def test_pixels_are_those_of_training(decoder: PillowDecoder) -> None:
    """Every format, smaller and larger than the model's input, lying and upright: the same to the bit."""
    contents = {
        f"{kind} {options} {width} x {height}": encoded(speckled((90, 160, 200), 3, width, height), kind, **options)
        for width, height in ((150, 70), (30, 20), (64, 48), (700, 5), (1, 1))
        for kind, options in (
            ("JPEG", {}),
            ("JPEG", {"progressive": True, "quality": 40}),
            ("JPEG", {"subsampling": 0}),
            ("PNG", {}),
            ("BMP", {}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True}),
        )
    }
    contents |= {
        f"orientation {number} {order}": encoded(gradient(90, 50), "JPEG", exif=exif(number, order))
        for number in range(1, 9)
        for order in "<>"
    }
    contents |= {
        f"mode {mode}": encoded(gradient(90, 50).convert(mode), "PNG") for mode in ("L", "LA", "RGBA", "P", "1")
    }
    contents["16 bits"] = encoded(Image.fromarray(np.arange(3000, dtype=np.uint16).reshape(50, 60) * 21), "PNG")
    contents["gray JPEG"] = encoded(gradient(90, 50).convert("L"), "JPEG")
    assert differences(decoder, contents) == {}


def test_what_training_refuses_is_refused(decoder: PillowDecoder) -> None:
    """Cut, empty, foreign, animated, palette BMP, too many pixels or scans: valid here where it is valid there."""
    photo = encoded(speckled((90, 160, 200), 3, 150, 70), "JPEG")
    contents = {
        "whole": photo,
        "cut": photo[: len(photo) // 2],
        "empty": b"",
        "text": b"no image" * 20,
        "GIF": animated("GIF"),
        "animated WebP": animated("WEBP"),
        "APNG": animated("PNG"),
        "TIFF": encoded(gradient(), "TIFF"),
        "BMP with a palette": encoded(gradient().convert("P"), "BMP"),
        "too many pixels": encoded(solid((1, 2, 3), 2000, 1001), "PNG"),
        "cut PNG": encoded(gradient(), "PNG")[:-30],
        "cut WebP": encoded(gradient(90, 90), "WEBP")[:-30],
    }
    assert differences(decoder, contents) == {}
    assert decoder.formats.keys() <= {"JPEG", "PNG", "BMP", "WEBP"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damage_is_judged_alike(decoder: PillowDecoder, kind: str) -> None:
    """Forty files with bytes changed behind the header, or missing, are decoded by both or by neither."""
    chance = random.Random(kind)
    whole = encoded(speckled((90, 160, 200), 3, 120, 80), kind)
    contents = {"whole": whole}
    for number in range(40):
        changed = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            changed[chance.randrange(_HEADER, len(changed))] = chance.randrange(256)
        contents[f"{kind} {number}"] = bytes(
            changed[: chance.randrange(1, len(changed))] if number % 4 == 0 else changed
        )
    assert differences(decoder, contents) == {}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_missing_end_is_judged_alike(decoder: PillowDecoder, mode: str) -> None:
    """Without end marker, whatever stands in its place, or cut short: decoded by both or by neither, to the same."""
    contents: dict[str, bytes] = {}
    for way in WAYS:
        whole = unended(way, mode)
        for trailer, tail in TRAILERS.items():
            contents |= {f"{way}, {trailer}": whole + tail, f"{way}, {trailer}, an end": whole + tail + b"\xff\xd9"}
        for cut in (1, 2, 5, 20, 100, len(whole) // 2):
            contents |= {f"{way}, cut {cut}": whole[:-cut], f"{way}, cut {cut}, zeros": whole[:-cut] + bytes(200)}
    found = differences(decoder, contents)
    assert [each for each in found.items() if mode != "CMYK" or each[1] not in {1, 2}] == []


def test_odd_exif_is_judged_alike(decoder: PillowDecoder) -> None:
    """EXIF data that make Pillow's own reading raise, and orientations that are only in XMP, turn nothing here too."""
    xmp = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation='6'/>"
    tiffs = [EXIF * 2 + Tiff(6).content(), b"II*\0", b"nothing", *(Tiff(6).content()[:cut] for cut in range(9, 30, 3))]
    contents = {"xmp": jpeg(segment(0xE1, xmp)), "a line ahead": jpeg(segment(0xE1, EXIF + b"\n" + Tiff(6).content()))}
    for number, tiff in enumerate(tiffs):
        contents |= {f"JPEG {number}": jpeg(segment(0xE1, EXIF + tiff))}
        contents |= {f"PNG {number}": png(tiff), f"WebP {number}": webp(tiff)}
    assert differences(decoder, contents) == {}


def test_real_files_are_judged_alike(decoder: PillowDecoder) -> None:
    """So are the collection's files; CMYK, which two libraries turn into RGB, may be one level off."""
    contents = {row["file"]: content_of(row) for row in awkward_rows()}
    found = differences(decoder, contents)
    assert {name: difference for name, difference in found.items() if "cmyk" not in name} == {}
    assert all(isinstance(difference, int) and difference <= 2 for difference in found.values())


def test_a_resize_to_the_same_size_changes_nothing() -> None:
    """An image that has the model's size already keeps its bits."""
    image = np.asarray(speckled((90, 160, 200), 3, 64, 48))
    assert (resize(image, 48, 64) == image).all()


def test_odd_metadata_makes_no_noise(decoder: PillowDecoder) -> None:
    """A warning of Pillow, such as of broken EXIF data, does not reach the console."""
    content = encoded(gradient(), "JPEG", exif=exif(6, "<")[:-4] + b"\xff\xff\xff\xff")
    assert decoder.decode_variants([content]).valid.tolist() == [True]
    assert Image.open(io.BytesIO(content)).size == (40, 30)
