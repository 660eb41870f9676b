"""JPEGs as cameras and apps write them: without end marker, or of CMYK without Adobe's marker."""

from typing import Any

import numpy as np
from PIL import Image

from tests.drawn.images import encoded, gradient, speckled

_END = b"\xff\xd9"
_ADOBE = b"\xff\xee\0\x0eAdobe"


def noisy(mode: str = "RGB") -> Image.Image:
    """Draw an image whose last blocks have something to lose."""
    return speckled((90, 120, 150), 5, 64, 48).convert(mode)


WAYS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "of high quality": {"quality": 100, "subsampling": 0},
    "with its own tables": {"optimize": True},
    "with restarts": {"restart_marker_rows": 1},
    "with a restart for two blocks": {"restart_marker_blocks": 2},
    "progressive": {"progressive": True},
    "progressive, of high quality": {"progressive": True, "quality": 98},
}

TRAILERS = {
    "nothing": b"",
    "half an end": b"\xff",
    "zeros": bytes(5000),
    "a maker's text": b"SAMSUNG panorama " * 40,
    "a maker's data": np.random.default_rng(1).integers(0, 255, 16_000, np.uint8).tobytes(),
    "another segment": b"\xff\xe4\0\x08trails",
    "an image": b"trailer" + encoded(gradient(), "JPEG")[:-2],
}


def unended(way: str, mode: str = "RGB") -> bytes:
    """Return an image of which only the end marker is missing."""
    return encoded(noisy(mode), "JPEG", **WAYS[way]).removesuffix(_END)


def without_adobe(content: bytes) -> bytes:
    """Return a JPEG without Adobe's marker."""
    place = content.index(_ADOBE)
    return content[:place] + content[place + 16 :]
