"""Contents that every signature refuses, by name."""

import functools
from collections.abc import Callable

from tests.drawn.images import animated, encoded, gradient

KINDS = ("JPEG", "PNG", "BMP", "WEBP")


def palette_bmp() -> bytes:
    return encoded(gradient().quantize(16), "BMP")


def tiny_animated_webp(*, animation: bool = True, alpha: bool = False) -> bytes:
    """Return an animated WebP of less than 250 bytes, whose header has these flags, true or not."""
    content = bytearray(animated("WEBP", 8, 8))
    assert content[12:16] == b"VP8X"
    assert len(content) < 250
    content[20] = 0x02 * animation | 0x10 * alpha
    return bytes(content)


def half_a(kind: str) -> bytes:
    content = encoded(gradient(), kind)
    return content[: len(content) // 2]


REFUSED: dict[str, Callable[[], bytes]] = {
    "GIF": lambda: encoded(gradient(), "GIF"),
    "animated GIF": lambda: animated("GIF"),
    "animated WebP": lambda: animated("WEBP"),
    "tiny animated WebP": tiny_animated_webp,
    "animated WebP with alpha": lambda: tiny_animated_webp(alpha=True),
    "animated WebP that claims to be still": lambda: tiny_animated_webp(animation=False),
    "animated WebP that claims to be still, with alpha": lambda: tiny_animated_webp(animation=False, alpha=True),
    "palette BMP": palette_bmp,
    "gray BMP": lambda: encoded(gradient().convert("L"), "BMP"),
    "TIFF": lambda: encoded(gradient(), "TIFF"),
    "text": lambda: b"This is a text file.\n",
    "empty": lambda: b"",
    "only a JPEG's mark": lambda: b"\xff\xd8\xff",
    "only a PNG's mark": lambda: b"\x89PNG\r\n\x1a\n",
    **{f"half a {kind}": functools.partial(half_a, kind) for kind in KINDS},
}
