"""Before a version is published, its pixels are compared with those that are decoded without TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.digests import digest_of_bytes
from contract.image_input import ImageInput
from contract.manifest import ModelManifest, PixelProof
from contract.versions import FIXTURES, MANIFEST
from exporter.errors import FixtureError
from exporter.proof.fixtures import Fixture
from exporter.proof.pixels import OwnDecoder, prove_pixels
from modelserver.engines.pixels.proof import RULES, proved_decoder
from tests.exporter.conftest import Publication
from tests.modelserver.engines.pixels.extension import needs_extension
from trainer.runs.record import TestImage

INPUT = ImageInput(height=1, width=1)
SHADES = {b"dark": 10, b"light": 200, b"cmyk": 30}


class ShadesVersion:
    """Makes one pixel of each image that it knows, and refuses all others."""

    def run(self, inputs: Any) -> Any:
        """Return the outputs of one image."""
        ((name, (_, (content,))),) = inputs.items()
        if content == b"error":
            raise ValueError("No image could be decoded.")
        pixels = np.full((1, 1, 1, 3), SHADES.get(content, 0), np.uint8)
        return {name: {"pixels": pixels, "valid": np.array([content in SHADES])}}


@dataclass(frozen=True)
class Fixtures:
    """As far as the comparison needs a reference."""

    fixtures: tuple[Fixture, ...] = (Fixture("a.jpg", b"dark", "one"), Fixture("b.txt", b"text", None))


def own(wrong: bytes = b"") -> OwnDecoder:
    """Return a decoder that leaves CMYK to the graph, and is a shade off on one image."""

    def digest_of(content: bytes) -> str | None:
        if content == b"cmyk":
            raise LookupError("a CMYK JPEG")
        if content not in SHADES:
            return None
        return digest_of_bytes(bytes([SHADES[content] + (content == wrong)] * 3))

    return OwnDecoder(3, lambda _: digest_of)


@pytest.fixture
def prove(tmp_path: Path) -> Callable[..., PixelProof | None]:
    """Return a function that compares with images of these contents."""

    def compare(decoder: OwnDecoder | None, *contents: bytes) -> PixelProof | None:
        images = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(content)
            images.append(TestImage(path=path, label="one"))
        version: Any = ShadesVersion()
        reference: Any = Fixtures()
        return prove_pixels(decoder, INPUT, version, reference, images)

    return compare


def test_what_is_the_same_and_what_is_left_is_counted(prove: Callable[..., PixelProof | None]) -> None:
    """Refused images count as compared; kinds that are left to the graph do not."""
    proof = prove(own(), b"light", b"cmyk", b"error", b"light")
    assert proof == PixelProof(
        rules=3,
        fixtures={"a.jpg": digest_of_bytes(bytes([10] * 3)), "b.txt": None},
        images=5,
        different=0,
        left_to_graph=1,
    )
    assert proof.holds
    assert proof.in_words() == "5 of 5 images decoded to the same bits without TensorFlow, 1 left to TensorFlow"


def test_one_level_is_a_difference(prove: Callable[..., PixelProof | None]) -> None:
    """An image that is a level off is counted, and then nothing is proved."""
    proof = prove(own(wrong=b"light"), b"light", b"dark")
    assert proof is not None
    assert (proof.images, proof.different, proof.holds) == (4, 1, False)


def test_nothing_is_said_where_nothing_can_be_compared(prove: Callable[..., PixelProof | None]) -> None:
    """Without a decoder, or one that was not compiled, the manifest says nothing of pixels."""
    assert prove(None) is None
    assert prove(OwnDecoder(1, lambda _: None)) is None


def test_images_of_all_classes_are_compared(prove: Callable[..., PixelProof | None]) -> None:
    """Of many images, two hundred are taken from all of them."""
    proof = prove(own(wrong=b"light"), *[b"dark"] * 400, *[b"light"] * 100)
    assert proof is not None
    assert proof.images == 202
    assert proof.different > 0


def test_an_image_that_is_gone_is_named(tmp_path: Path) -> None:
    """As for the other proofs, the data set has to be where it was."""
    version: Any = ShadesVersion()
    reference: Any = Fixtures()
    with pytest.raises(FixtureError, match=r"gone\.jpg cannot be read"):
        prove_pixels(own(), INPUT, version, reference, [TestImage(path=tmp_path / "gone.jpg", label="one")])


@needs_extension
def test_a_published_version_says_what_its_pixels_are(first: Publication) -> None:
    """Its manifest has a digest for each fixture, and a model server that loads it finds the same."""
    proof = ModelManifest.read(first.folder / MANIFEST).pixels
    assert proof is not None
    assert (proof.rules, proof.different) == (RULES, 0)
    assert proof.images > len(proof.fixtures)
    files = {path.name for path in (first.folder / FIXTURES).iterdir() if path.is_file()} - {"expected.json"}
    assert set(proof.fixtures) == files
    assert sum(digest is None for digest in proof.fixtures.values()) == 2
    assert proved_decoder(first.folder).image_input == first.exported.manifest.image_input
