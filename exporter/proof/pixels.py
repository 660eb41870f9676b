"""Whether images become the same pixels without TensorFlow: compared bit for bit before a version is published."""

from collections.abc import Callable, Iterator, Sequence

from contract.digests import digest_of_bytes
from contract.image_input import ImageInput
from contract.manifest import PixelProof
from contract.signatures import PIXELS_OF_IMAGE
from exporter.proof.fixtures import read_test_image
from exporter.proof.parity import Reference
from exporter.saved_model.loading import LoadedVersion
from exporter.saved_model.warmup import string_array
from trainer.runs.record import TestImage

MOST_IMAGES = 200
"""Of the data set; they take a second or two."""

DigestOf = Callable[[bytes], str | None]
"""The digest of an image's pixels, None where it is refused; LookupError for what the graph has to decode."""


class OwnDecoder:
    """What decodes without TensorFlow: `digests_for` an input, None where it cannot run here; by the `rules`."""

    def __init__(self, rules: int, digests_for: Callable[[ImageInput], DigestOf | None]) -> None:
        self.rules = rules
        self.digests_for = digests_for


def prove_pixels(
    own: OwnDecoder | None,
    image_input: ImageInput,
    version: LoadedVersion,
    reference: Reference,
    images: Sequence[TestImage],
) -> PixelProof | None:
    """Compare what the own decoder makes of the fixtures and of some `images` with what the version's graph makes.

    Return None where there is no own decoder.

    Raises:
        FixtureError: an image is no longer where it was in training.
    """
    if own is None or (digest_of := own.digests_for(image_input)) is None:
        return None
    fixtures = {fixture.name: _by_the_graph(version, fixture.content) for fixture in reference.fixtures}
    compared = different = left = 0
    for content, expected in _pairs(version, reference, fixtures, images):
        try:
            different += digest_of(content) != expected
            compared += 1
        except LookupError:
            left += 1
    return PixelProof(rules=own.rules, fixtures=fixtures, images=compared, different=different, left_to_graph=left)


def _pairs(
    version: LoadedVersion, reference: Reference, fixtures: dict[str, str | None], images: Sequence[TestImage]
) -> Iterator[tuple[bytes, str | None]]:
    """Yield each image's bytes, and the digest of what the graph makes of it."""
    for fixture in reference.fixtures:
        yield fixture.content, fixtures[fixture.name]
    count = min(len(images), MOST_IMAGES)
    for number in range(count):  # of all classes: they are in the order of their folders
        content = read_test_image(images[number * len(images) // count].path)
        yield content, _by_the_graph(version, content)


def _by_the_graph(version: LoadedVersion, content: bytes) -> str | None:
    """Return the digest of the pixels that the version makes of one image, None where it refuses it."""
    try:
        (outputs,) = version.run({PIXELS_OF_IMAGE: ("image_bytes", string_array([content]))}).values()
    except ValueError:  # of one image, all fail
        return None
    return digest_of_bytes(outputs["pixels"][0].tobytes()) if outputs["valid"][0] else None
