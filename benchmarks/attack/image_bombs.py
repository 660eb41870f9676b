"""Images that cost much more to decode than their size suggests, drawn by code: each has at most 20 MB."""

from benchmarks.attack.images.jpeg import jpeg_bombs
from benchmarks.attack.images.other import bmp_bombs, webp_bombs
from benchmarks.attack.images.png import png_bombs

MOST_BYTES = 20_000_000


def image_bombs() -> dict[str, bytes]:
    """Return each bomb by its name, which begins with its format; drawing them all takes a few seconds."""
    bombs = {
        **jpeg_bombs(MOST_BYTES),
        **png_bombs(MOST_BYTES),
        **webp_bombs(MOST_BYTES),
        **bmp_bombs(MOST_BYTES),
    }
    too_long = [name for name, content in bombs.items() if len(content) > MOST_BYTES]
    if too_long:
        raise AssertionError(f"longer than {MOST_BYTES} bytes: {', '.join(too_long)}")
    return bombs
