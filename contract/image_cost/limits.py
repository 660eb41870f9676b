"""The limits, for the gateway and the served graph. `docs/image-limits.md` says why each has its value."""

from typing import Any

MAX_SCANS = 100
"""In a JPEG: what the reference encoder writes at most (`MAX_SCANS` of its rdswitch.c); photographs have 1 to 14."""

MAX_SCANNED_PIXELS = 1_000_000_000
"""Scans times pixels of a JPEG: each scan passes over all pixels. 20 scans of 50 megapixels, 83 of 12."""

MAX_SCANNED_PIXELS_WITHOUT_END = 60_000_000
"""The same of a JPEG without end marker, which is decoded three times: one scan of 50 megapixels, ten of 6."""

CMYK_COST = 2
"""How many times as long its scans take then."""

ARITHMETIC_COST = 4
"""How many times as long a scan takes if it is coded arithmetically."""

ALWAYS_CHEAP_PNG_BYTES = 256 * 1024
"""A shorter PNG cannot inflate to more than 270 MB, whatever it holds, so its chunks are not looked at."""

MAX_PNG_CHUNKS = 20_000
"""Encoders write chunks of 8 KiB or more: 2,560 in 20 MiB."""

MAX_INFLATION = 1032
"""Of deflate: 258 bytes for two bits."""

LONGEST_PNG_TEXT = 8_000_000
"""libpng inflates no more of one text or profile."""

MAX_PNG_TEXT_BYTES = 256_000_000
"""What all compressed texts and profiles of a PNG could inflate to, at most."""

PNG_SLACK_BYTES = 64 * 1024
"""How many bytes more than its pixels the data of a PNG may have, besides a 64th for blocks that are stored."""

PNG_ROW_OVERHEAD = 4
"""Bytes of each row besides its pixels: its filter, and its part in the seven interlaced images."""


def segments_allowed(length: Any) -> Any:
    """Return how many segments a JPEG of so many bytes may have before its scan, and a PNG or WebP with EXIF chunks.

    Photographs have 5 to 30. The fewer for a shorter one, so that many short ones are no more work than one long one.
    `length` may be a tensor, and the result is one then.
    """
    return 100 + length // 4096


def scans_allowed_without_end(pixels: int, *, arithmetic: bool, cmyk: bool) -> int:
    """Return how many scans a JPEG without end marker may have; none if it is coded arithmetically."""
    allowed = MAX_SCANNED_PIXELS_WITHOUT_END // max(pixels * (CMYK_COST if cmyk else 1), 1)
    return 0 if arithmetic else min(MAX_SCANS, allowed)


def scans_allowed(pixels: int, *, arithmetic: bool) -> int:
    """Return how many scans a JPEG of so many pixels may have."""
    return min(MAX_SCANS, MAX_SCANNED_PIXELS // max(pixels * (ARITHMETIC_COST if arithmetic else 1), 1))


def png_raw_bytes(width: int, height: int, bits_per_pixel: int) -> int:
    """Return how many bytes the pixels of a PNG have at most before compression, interlaced or not."""
    return (width * height * bits_per_pixel + 7) // 8 + PNG_ROW_OVERHEAD * height + 16


def png_data_allowed(raw_bytes: int) -> int:
    """Return how many bytes of compressed data a PNG may have."""
    return raw_bytes + raw_bytes // 64 + PNG_SLACK_BYTES
