"""The orientation is found wherever a file keeps it, and is the one that Pillow turns an image by."""

import io
import itertools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from contract.image_files.orientation import orientation_of
from contract.image_input import ImageInput
from tests.drawn.images import encoded, gradient
from tests.drawn.oriented import EXIF, XMP, Tiff, jpeg, png, segment, webp
from trainer.data.image_headers import read_headers
from trainer.data.orientation.reading import read_orientation
from trainer.data.preprocessing import ImageDecoder

_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PROFILE = b"ICC_PROFILE\0\1\1"


@pytest.fixture(scope="module", params=["in a graph", "in Python"])
def seen(request: pytest.FixtureRequest) -> Callable[[bytes], int]:
    """What is read of an encoded image: by the graph of training and serving, and by those who use no TensorFlow."""
    if request.param == "in Python":
        return orientation_of

    def read_one(content: tf.Tensor) -> tf.Tensor:
        return read_orientation(content, read_headers(content[None]).kind[0])

    read = tf.function(read_one, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    return lambda content: int(read(tf.constant(content)))


def by_pillow(content: bytes) -> int:
    """Return the orientation that `ImageOps.exif_transpose` turns by."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF data
        image = Image.open(io.BytesIO(content))
        image.load()
        try:
            value = image.getexif().get(0x0112, 1)
        except (SyntaxError, ValueError, KeyError):
            return 1
    return next((each for each in range(1, 9) if value == each), 1)


def tiffs() -> Iterator[Tiff]:
    """Yield one for each combination that matters."""
    numbers = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
    for order, kind, orientation in itertools.product("<>", numbers, (1, 3, 6, 8)):
        yield Tiff(orientation, order, kind)
    for order, kind, count in itertools.product("<>", (1, 3, 4, 6, 8), (0, 2, 3, 4, 5)):
        yield Tiff(6, order, kind, count)
    for order, place, before, behind in itertools.product("<>", (8, 26, 5001, 60_000), (0, 1, 39, 200), (0, 41)):
        yield Tiff(7, order, 3, 1, place, before, behind, thumbnail=3)
    for order, orientation in itertools.product("<>", (0, 2, 4, 5, 9, 255, 65_535)):
        yield Tiff(orientation, order)


def test_every_way_to_write_it_in_a_tiff(seen: Callable[[bytes], int]) -> None:
    """Types, byte orders, counts, and places of directory and tag are read as Pillow reads them; 150 files."""
    files = {tiff: jpeg(segment(0xE1, EXIF + tiff.content())) for tiff in tiffs() if len(tiff.content()) < 65_000}
    expected = {tiff: by_pillow(file) for tiff, file in files.items()}
    assert set(expected.values()) == set(range(1, 9))
    assert {tiff: seen(file) for tiff, file in files.items()} == expected


_SIX = Tiff(6, ">", tags_before=3, thumbnail=8).content()
_OURS = segment(0xE1, EXIF + _SIX)
_LONG_XMP = segment(0xE1, _EXTENSION + bytes(50_300))
_LONG_PROFILES = segment(0xE2, _PROFILE + b"\x77" * 65_000) * 4
_HALF = len(_SIX) // 2

TURNED = {
    "first": lambda: jpeg(_OURS),
    "behind an extension of XMP of 50 KB": lambda: jpeg(_LONG_XMP, _OURS),
    "behind many segments of XMP and profiles": lambda: jpeg(*[_LONG_XMP] * 8, _LONG_PROFILES, _OURS),
    "behind the frame, right before the scan": lambda: jpeg(late=_LONG_PROFILES + _OURS),
    "with its prefix twice": lambda: jpeg(segment(0xE1, EXIF * 2 + _SIX)),
    "behind an empty one": lambda: jpeg(segment(0xE1, EXIF), _OURS),
    "behind fill bytes": lambda: jpeg(b"\xff" * 700, _OURS),
    "behind XMP with words of EXIF": lambda: jpeg(segment(0xE1, XMP), _OURS),
    "behind a thumbnail of another program": lambda: jpeg(
        segment(0xED, jpeg(segment(0xE1, EXIF + Tiff(3).content()))), _OURS
    ),
    "before another one": lambda: jpeg(_OURS, segment(0xE1, EXIF + Tiff(3).content())),
    "divided over two segments": lambda: jpeg(*_divided(Tiff(6, directory_at=70_000).content())),
    "in a PNG": lambda: png(_SIX),
    "in a PNG, behind its pixels": lambda: png(_SIX, behind_pixels=True),
    "in a PNG, with a prefix": lambda: png(EXIF + _SIX),
    "in a PNG, behind words of EXIF": lambda: png(_SIX, text=b"eXIf" + EXIF + Tiff(3).content()),
    "in a WebP": lambda: webp(_SIX),
    "in a WebP, with a prefix": lambda: webp(EXIF + _SIX),
    "in a WebP, with its prefix twice": lambda: webp(EXIF * 2 + _SIX),
    "in a WebP, before its pixels, behind an odd chunk": lambda: webp(_SIX, before_pixels=True, extra=bytes(7)),
}


def _divided(tiff: bytes) -> list[bytes]:
    return [segment(0xE1, EXIF + tiff[at : at + 65_527]) for at in range(0, len(tiff), 65_527)]


UPRIGHT = {
    "the thumbnail's alone": lambda: jpeg(segment(0xE1, EXIF + _with_thumbnail_only())),
    "words in a comment": lambda: jpeg(segment(0xFE, EXIF + _SIX)),
    "a profile that holds EXIF": lambda: jpeg(segment(0xE2, EXIF + _SIX)),
    "behind the end": lambda: jpeg() + _OURS,
    "another prefix": lambda: jpeg(segment(0xE1, b"Exif\0x" + _SIX)),
    "no TIFF": lambda: jpeg(segment(0xE1, EXIF + b"XX" + _SIX[2:])),
    "a directory outside": lambda: jpeg(segment(0xE1, EXIF + b"II*\0\xff\xff\xff\xff" + _SIX[8:])),
    "a PNG with words of EXIF in a text": lambda: png(b"", text=b"\0\0\0\x60eXIf" + _SIX),
    "a WebP whose header says that there is none": lambda: webp(_SIX, flagged=False),
    "a WebP with EXIF that is none": lambda: webp(b"x"),
}


def _with_thumbnail_only() -> bytes:
    return Tiff(1, thumbnail=6).content()


@pytest.mark.parametrize("place", TURNED)
def test_wherever_the_file_keeps_it(seen: Callable[[bytes], int], place: str) -> None:
    """EXIF data turn an image, wherever they stand."""
    content = TURNED[place]()
    assert (seen(content), by_pillow(content)) == (6, 6)


@pytest.mark.parametrize("what", UPRIGHT)
def test_what_only_looks_like_exif(seen: Callable[[bytes], int], what: str) -> None:
    """Bytes that look like EXIF data where none belong do not turn an image."""
    content = UPRIGHT[what]()
    assert (seen(content), by_pillow(content)) == (1, 1)


def test_orientation_of_xmp_does_not_count(seen: Callable[[bytes], int]) -> None:
    """An orientation in XMP alone is not EXIF's: browsers show such an image as it is stored."""
    assert seen(jpeg(segment(0xE1, XMP))) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pixels_are_pillows(kind: str) -> None:
    """An image of each orientation and kind comes out as Pillow turns it, one by one and in a batch."""
    options = {"lossless": True} if kind == "WEBP" else {}
    files = [
        encoded(gradient(), kind, exif=EXIF + Tiff(orientation, order).content(), **options)
        for orientation, order in itertools.product(range(1, 9), "<>")
    ]
    for is_lying in (True, False):
        chosen = files[:8] if is_lying else files[8:]
        size = {"height": 30, "width": 40} if is_lying else {"height": 40, "width": 30}
        pixels, valid = ImageDecoder(ImageInput(**size)).decode(chosen)
        assert valid.all()
        for content, row in zip(chosen, pixels, strict=True):
            turned = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
            np.testing.assert_array_equal(row, np.asarray(turned))


COSTLY = {
    "a JPEG of 300,000 segments": lambda: jpeg(segment(0xFE, b"") * 300_000, _OURS),
    "a short JPEG of 1,000 segments": lambda: jpeg(segment(0xFE, b"") * 1_000, _OURS),
    "a JPEG with 20 MB of fill bytes": lambda: jpeg(b"\xff" * 20_000_000, _OURS),
    "a PNG of 20,000 chunks": lambda: png(_SIX, text=b"x", texts=20_000),
    "a WebP of 20,000 chunks": lambda: webp(_SIX, before_pixels=True, extra=b"x", extras=20_000),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_search_is_given_up(seen: Callable[[bytes], int], kind: str) -> None:
    """A file with far more segments or chunks than any program writes is refused, not walked through."""
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match="too many"):
        seen(COSTLY[kind]())
