"""A small version whose manifest says what pixels its fixtures become, as `graft export` writes it."""

import shutil
from pathlib import Path

from contract.digests import digest_of_bytes
from contract.image_input import ImageInput
from contract.manifest import ModelManifest, PixelProof
from contract.versions import FIXTURES, MANIFEST
from modelserver.engines.graphs.image_decoder import GraphImageDecoder
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.pixels.proof import RULES
from modelserver.errors import BadInputError
from tests.drawn.images import encoded, exif, gradient
from tests.fakes.made_up_predictions import manifest_for
from tests.modelserver.litert_versions import LABELS, SIZE, image, write_version

NAME = "colours"
FILES = {
    "00.jpg": image(1),
    "01.jpg": encoded(gradient(90, 50), "JPEG", exif=exif(6, "<")),
    "02.png": encoded(gradient(50, 30), "PNG"),
    "truncated.jpg": image(2)[:400],
    "not-a-image.txt": b"This is a text file, and must be refused.\n",
}
"""Fixtures by file name."""


def write_proved_version(folder: Path) -> Path:
    """Write a version whose proof is that of its own graph."""
    write_version(folder)
    (folder / FIXTURES).mkdir()
    graph = GraphImageDecoder(folder, SavedGraphs(folder))
    for name, content in FILES.items():
        (folder / FIXTURES / name).write_bytes(content)
    fixtures = {name: _digest_by(graph, content) for name, content in FILES.items()}
    pixels = PixelProof(rules=RULES, fixtures=fixtures, images=len(FILES), different=0, left_to_graph=0)
    image_input = ImageInput(height=SIZE, width=SIZE)
    manifest = manifest_for(NAME, 1, LABELS).model_copy(update={"image_input": image_input, "pixels": pixels})
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder


def with_other_proof(version: Path, folder: Path, **changes: object) -> Path:
    """Copy a version that is proved, and change its proof; `pixels=None` leaves it out."""
    shutil.copytree(version, folder)
    manifest = ModelManifest.read(folder / MANIFEST)
    assert manifest.pixels is not None
    pixels = None if changes == {"pixels": None} else manifest.pixels.model_copy(update=changes)
    (folder / MANIFEST).write_text(manifest.model_copy(update={"pixels": pixels}).to_json())
    return folder


def _digest_by(graph: GraphImageDecoder, content: bytes) -> str | None:
    try:
        decoded = graph.pixels_of(content)
    except BadInputError:
        return None
    return digest_of_bytes(decoded["pixels"].tobytes()) if decoded["valid"] else None
