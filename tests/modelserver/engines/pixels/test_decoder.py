"""Without TensorFlow an image has the outcome that the served graph has: the same bits, or refused by both."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.awkward_files import awkward_rows, content_of
from tests.drawn.images import animated, encoded, exif, gradient, solid, speckled
from tests.drawn.oriented import EXIF, Tiff, jpeg, png, segment, webp
from tests.drawn.unended import TRAILERS, WAYS, unended
from tests.modelserver.engines.pixels.extension import needs_extension
from tests.modelserver.engines.pixels.outcomes import (
    BROKEN,
    NOTHING,
    UNPROVED,
    Decode,
    by_the_graph,
    differences,
    kinds_of,
    without_tensorflow,
)
from tests.places import CASES, DATA

INPUT = ImageInput(height=48, width=64, max_pixels=2_000_000)
_HEADER = 32

pytestmark = needs_extension


@pytest.fixture(scope="module")
def graph() -> Decode:
    """The served graph."""
    return by_the_graph(INPUT)


@pytest.fixture(scope="module")
def own() -> Decode:
    """The decoder without TensorFlow."""
    return without_tensorflow(INPUT)


def all_proved(contents: dict[str, bytes], own: Decode) -> bool:
    """Return whether none of them is left to the graph."""
    return not any(kind.startswith(UNPROVED) for kind in kinds_of(own, contents))


def test_pixels_are_those_of_the_graph(graph: Decode, own: Decode) -> None:
    """Every format, smaller and larger than the model's input, lying and upright, turned by EXIF: the same bits."""
    contents = {
        f"{kind} {options} {width} x {height}": encoded(speckled((90, 160, 200), 3, width, height), kind, **options)
        for width, height in ((150, 70), (30, 20), (64, 48), (700, 5), (1, 1), (3, 900))
        for kind, options in (
            ("JPEG", {}),
            ("JPEG", {"progressive": True, "quality": 40}),
            ("JPEG", {"subsampling": 0}),
            ("JPEG", {"subsampling": 1, "optimize": True}),
            ("JPEG", {"keep_rgb": True}),
            ("PNG", {}),
            ("BMP", {}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True}),
        )
    }
    contents |= {
        f"orientation {number} {order} {kind}": encoded(gradient(90, 50), kind, exif=exif(number, order))
        for number in range(1, 9)
        for order in "<>"
        for kind in ("JPEG", "PNG", "WEBP")
    }
    contents |= {
        f"mode {mode}": encoded(gradient(90, 50).convert(mode), "PNG") for mode in ("L", "LA", "RGBA", "P", "1")
    }
    contents["RGBA BMP"] = encoded(gradient(91, 50).convert("RGBA"), "BMP")
    contents["gray JPEG"] = encoded(gradient(90, 50).convert("L"), "JPEG")
    assert differences(graph, own, contents) == {}
    assert all_proved(contents, own)


def test_png_of_any_depth_has_its_pixels(graph: Decode, own: Decode) -> None:
    """Gray and palettes of 1, 2, 4 and 8 bits, with and without transparency and interlacing, have the same bits."""
    contents = {
        f"colours {colours}, {depth} bits, {extra}, interlaced {interlaced}": drawn_png(
            depth, colours, extra, interlaced
        )
        for colours, depths in ((0, (1, 2, 4, 8)), (3, (1, 2, 4, 8)), (2, (8,)), (4, (8,)), (6, (8,)))
        for depth in depths
        for extra in ("", "tRNS", "gAMA", "sBIT")
        for interlaced in (False, True)
        if not (extra == "tRNS" and colours >= 4)
    }
    assert differences(graph, own, contents) == {}
    assert all_proved(contents, own)


def test_what_is_not_proved_is_left_to_the_graph(own: Decode) -> None:
    """CMYK, 16 bits, transparency in WebP, APNG and unknown chunks are told by their kind, and not guessed."""
    contents = {
        "a CMYK JPEG": encoded(gradient().convert("CMYK"), "JPEG"),
        "a PNG of 16 bits a channel": encoded(Image.fromarray(np.arange(3000, dtype=np.uint16).reshape(50, 60)), "PNG"),
        "a WebP with transparency": encoded(gradient().convert("RGBA"), "WEBP"),
        "an unusual PNG": animated("PNG"),
    }
    alpha = gradient(40, 30).convert("RGBA")
    alpha.putalpha(77)
    contents["a WebP with transparency"] = encoded(alpha, "WEBP")
    assert {name: own(content) for name, content in contents.items()} == {name: UNPROVED + name for name in contents}


def test_what_the_graph_refuses_is_refused(graph: Decode, own: Decode) -> None:
    """Cut, empty, foreign, animated, palette BMP, too many pixels or scans: refused in the same way."""
    photo = encoded(speckled((90, 160, 200), 3, 150, 70), "JPEG")
    contents = {
        "cut": photo[: len(photo) // 2],
        "empty": b"",
        "text": b"no image" * 20,
        "GIF": animated("GIF"),
        "animated WebP": animated("WEBP"),
        "TIFF": encoded(gradient(), "TIFF"),
        "BMP with a palette": encoded(gradient().convert("P"), "BMP"),
        "BMP with a byte more": encoded(gradient(), "BMP") + b"\0",
        "cut BMP": encoded(gradient(), "BMP")[:-9],
        "too many pixels": encoded(solid((1, 2, 3), 2000, 1001), "PNG"),
        "a JPEG of too many pixels": encoded(solid((1, 2, 3), 2000, 1001), "JPEG"),
        "a JPEG of many scans": photo[:-2] + b"\xff\xda\x00" * 101 + photo[-2:],
    }
    assert differences(graph, own, contents) == {}
    assert set(kinds_of(own, contents)) == {BROKEN, NOTHING}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"lossless": True}], ids=str)
def test_damage_is_judged_alike(graph: Decode, own: Decode, kind: str, options: dict[str, bool]) -> None:
    """Sixty files with bytes changed anywhere, or missing, have the same outcome, or are left to the graph."""
    chance = random.Random(kind)
    whole = encoded(speckled((90, 160, 200), 3, 60, 40), kind, **options)
    contents = {}
    for number in range(60):
        changed = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            changed[chance.randrange(_HEADER if number % 3 else 0, len(changed))] = chance.randrange(256)
        contents[f"{kind} {number}"] = bytes(
            changed[: chance.randrange(1, len(changed))] if number % 4 == 0 else changed
        )
    assert differences(graph, own, contents) == {}


def test_damage_with_right_checksums_is_judged_alike(graph: Decode, own: Decode) -> None:
    """PNGs whose chunks are damaged, but say the right checksum, have the same outcome or are left to the graph."""
    chance = random.Random(5)
    whole = encoded(speckled((90, 160, 200), 3, 30, 20), "PNG")
    contents = {}
    for number in range(60):
        changed = bytearray(whole)
        changed[chance.randrange(16, len(changed) - 12)] = chance.randrange(256)
        contents[f"{number}"] = with_checksums(bytes(changed))
    contents["missing rows"] = with_checksums(whole.replace(struct.pack(">II", 30, 20), struct.pack(">II", 30, 21)))
    contents["rows too many"] = with_checksums(whole.replace(struct.pack(">II", 30, 20), struct.pack(">II", 30, 19)))
    assert differences(graph, own, contents) == {}


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_missing_end_is_judged_alike(graph: Decode, own: Decode, mode: str) -> None:
    """Without end marker, whatever stands in its place, or cut short: the same outcome, and no TensorFlow for it."""
    contents: dict[str, bytes] = {}
    for way in WAYS:
        whole = unended(way, mode)
        for trailer, tail in TRAILERS.items():
            contents |= {f"{way}, {trailer}": whole + tail, f"{way}, {trailer}, an end": whole + tail + b"\xff\xd9"}
        for cut in (1, 2, 5, 20, 100, len(whole) // 2):
            contents |= {f"{way}, cut {cut}": whole[:-cut], f"{way}, cut {cut}, zeros": whole[:-cut] + bytes(200)}
    assert differences(graph, own, contents) == {}
    assert kinds_of(own, contents)["decoded"] > len(WAYS)


def test_odd_exif_is_judged_alike(graph: Decode, own: Decode) -> None:
    """EXIF data that are odd, and orientations that are only in XMP, turn what they turn in the graph."""
    xmp = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation='6'/>"
    tiffs = [EXIF * 2 + Tiff(6).content(), b"II*\0", b"nothing", *(Tiff(6).content()[:cut] for cut in range(9, 30, 3))]
    contents = {"xmp": jpeg(segment(0xE1, xmp)), "a line ahead": jpeg(segment(0xE1, EXIF + b"\n" + Tiff(6).content()))}
    for number, tiff in enumerate(tiffs):
        contents |= {f"JPEG {number}": jpeg(segment(0xE1, EXIF + tiff))}
        contents |= {f"PNG {number}": png(tiff), f"WebP {number}": webp(tiff)}
    assert differences(graph, own, contents) == {}


@pytest.mark.parametrize("antialias", [True, False])
def test_other_settings_are_kept(antialias: bool) -> None:
    """Without antialiasing and without EXIF orientation, pixels are the graph's, too."""
    image_input = ImageInput(height=31, width=57, antialias=antialias, exif_orientation=False)
    contents = {
        f"{width} x {height}": encoded(gradient(width, height), "JPEG", exif=exif(6, "<"))
        for width, height in ((150, 70), (30, 20), (57, 31), (700, 5))
    }
    own = without_tensorflow(image_input)
    assert differences(by_the_graph(image_input), own, contents) == {}
    assert kinds_of(own, contents) == {"decoded": 4}


def test_real_files_are_judged_alike(graph: Decode, own: Decode) -> None:
    """So are the collection's files, and those that people reported."""
    contents = {row["file"]: content_of(row) for row in awkward_rows()}
    contents |= {f"{path.parent.name}/{path.name}": path.read_bytes() for path in reported_images()}
    assert differences(graph, own, contents) == {}
    assert kinds_of(own, contents)["decoded"] > 10


def test_photographs_have_the_graphs_pixels() -> None:
    """Thirty photographs of flowers, at the size of ImageNet's networks, have the same bits; none needs the graph."""
    paths = sorted((DATA / "flowers").rglob("*.jpg"))[::15][:30]
    if not paths:
        pytest.skip(f"there are no photographs at {DATA}; GRAFT_DATA says where its parent is")
    image_input = ImageInput(height=224, width=224)
    contents = {path.name: path.read_bytes() for path in paths}
    own = without_tensorflow(image_input)
    assert differences(by_the_graph(image_input), own, contents) == {}
    assert kinds_of(own, contents) == {"decoded": len(contents)}


def reported_images() -> Iterator[Path]:
    """Yield the images among the cases that people reported."""
    if not CASES.is_dir():
        pytest.skip(f"there are no reported cases at {CASES}; GRAFT_CASES says where they are")
    yield from sorted(path for path in CASES.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})


def drawn_png(depth: int, colours: int, extra: str, interlaced: bool) -> bytes:
    """Return a PNG of 13 x 11 pixels of chance, whose rows are not filtered; `extra` is a chunk that it has."""
    chance = np.random.default_rng(depth * 10 + colours)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    passes = _ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = []
    for left, top, across, down in passes:
        width, height = -(-(13 - left) // across), -(-(11 - top) // down)
        bits = width * channels * depth
        rows += [b"\0" + chance.bytes((bits + 7) // 8) for _ in range(height if width > 0 else 0)]
    table = chunk(b"PLTE", chance.bytes(3 << depth)) if colours == 3 else b""
    contents = {
        "tRNS": {0: b"\0\1", 2: b"\0\1\0\1\0\1", 3: b"\x10"}.get(colours, b""),
        "gAMA": struct.pack(">I", 45455),
    }
    contents["sBIT"] = bytes([min(depth, 8)] * {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[colours]) if extra == "sBIT" else b""
    more = chunk(extra.encode(), contents[extra]) if extra else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, depth, colours, 0, 0, int(interlaced)))
    ordered = table + more if extra == "tRNS" else more + table
    data = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + head + ordered + data + chunk(b"IEND", b"")


_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a PNG's chunk with its checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_checksums(content: bytes) -> bytes:
    """Return a PNG whose chunks have the right checksums, as far as their lengths lead from one to the next."""
    file, out = io.BytesIO(content), [content[:8]]
    file.seek(8)
    while head := file.read(8):
        length = int.from_bytes(head[:4], "big")
        body = file.read(length)
        file.read(4)
        out.append(head + body + struct.pack(">I", zlib.crc32(head[4:] + body)))
    return b"".join(out)
