"""Whether images become the same pixels here as they became when a version was exported: equal, or not used."""

from collections.abc import Callable
from pathlib import Path

from contract.digests import digest_of_bytes
from contract.errors import ContractError
from contract.image_cost.check import why_costly
from contract.image_input import ImageInput
from contract.manifest import ModelManifest, PixelProof
from contract.versions import FIXTURES, MANIFEST
from modelserver.engines.pixels.decoder import PixelDecoder
from modelserver.engines.pixels.errors import BrokenImageError, NotProvedError, UnprovedImageError
from modelserver.engines.pixels.resize import is_built

RULES = 1
"""Of what is decoded, refused and left to the graph. With another number, versions are not taken for proved."""


def digests_for(image_input: ImageInput) -> Callable[[bytes], str | None] | None:
    """Return what makes a digest of an image's pixels, None of one that is refused; None where nothing can.

    It raises LookupError for an image of a kind that is left to the graph.
    """
    if not is_built():
        return None
    decoder = PixelDecoder(image_input)

    def digest_of(content: bytes) -> str | None:
        try:
            decoded = None if why_costly(content) else decoder.decode(content)
        except BrokenImageError:
            return None
        except UnprovedImageError as error:
            raise LookupError(str(error)) from error
        return digest_of_bytes(decoded.pixels.data) if decoded else None

    return digest_of


def proved_decoder(folder: Path) -> PixelDecoder:
    """Return the decoder for the version in `folder`, whose fixtures become the pixels here that the manifest says.

    Raises:
        NotProvedError: they do not, or there is nothing to compare them with.
    """
    try:
        manifest = ModelManifest.read(folder / MANIFEST)
    except ContractError as error:
        raise NotProvedError(str(error)) from error
    digest_of = digests_for(manifest.image_input)
    if digest_of is None:
        raise NotProvedError("the resize was not compiled when Graft was installed; there was no C compiler")
    if (proof := manifest.pixels) is None:
        raise NotProvedError("the version does not say what its pixels are; export the run again")
    if not proof.holds or proof.rules != RULES:
        raise NotProvedError("other pixels were seen, or none compared, when it was exported; export the run again")
    _check_fixtures(folder / FIXTURES, proof, digest_of)
    return PixelDecoder(manifest.image_input)


def _check_fixtures(folder: Path, proof: PixelProof, digest_of: Callable[[bytes], str | None]) -> None:
    compared = 0
    for name, expected in proof.fixtures.items():
        try:
            seen = digest_of((folder / name).read_bytes())
        except LookupError:
            continue
        except OSError as error:
            raise NotProvedError(f"its fixture {name} cannot be read: {error.strerror}") from error
        if seen != expected:
            raise NotProvedError(f"its fixture {name} becomes other pixels on this machine than where it was exported")
        compared += expected is not None
    if not compared:
        raise NotProvedError("none of its fixtures is of a kind that is decoded without TensorFlow")
