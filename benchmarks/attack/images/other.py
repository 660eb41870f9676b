"""WebP and BMP bombs: animations, chunks, profiles, and sizes that are not true."""

import io
import struct

from PIL import Image

_LONGEST = 16_383
_ANIMATION, _PROFILE, _EXIF = 0x02, 0x20, 0x08
_BMP_HEADER = 54


def webp_bombs(most: int) -> dict[str, bytes]:
    """Return WebPs of at most `most` bytes, by name."""
    small = _still()
    room = most - 1000
    frame = _chunk(b"ANMF", bytes(6) + struct.pack("<L", 15)[:3] * 2 + bytes(4) + small)
    return {
        "webp_of_the_longest_sides": _riff(_flat_lossless(_LONGEST)),
        "webp_49_megapixels": _riff(_flat_lossless(7000)),
        "webp_49_megapixels_of_vp8": _riff(_chunk(b"VP8 ", _flat_lossy(7000))),
        "webp_animation": _riff(_extended(_ANIMATION) + _chunk(b"ANIM", bytes(6)) + frame * (room // len(frame))),
        "webp_animation_that_says_it_is_still": _riff(_extended(0) + _chunk(b"ANIM", bytes(6)) + frame * 2),
        "webp_unknown_chunks": _riff(_extended(0) + _chunk(b"abcd") * (room // 8) + small),
        "webp_unknown_chunks_behind_the_image": _riff(_extended(0) + small + _chunk(b"abcd") * (room // 8)),
        "webp_long_profile": _riff(_extended(_PROFILE) + _chunk(b"ICCP", bytes(room)) + small),
        "webp_looping_exif": _riff(_extended(_EXIF) + small + _chunk(b"EXIF", _LOOP)),
        "webp_lying_size": _riff(_extended(0, 7000) + small),
    }


def bmp_bombs(most: int) -> dict[str, bytes]:
    """Return BMPs of at most `most` bytes, by name."""
    return {
        "bmp_lying_size": _bmp(7000, 7000) + bytes(100),
        "bmp_of_2_gigapixels": _bmp(2**31 - 1, 1) + bytes(100),
        "bmp_lowest_height": _bmp(1, -(2**31)) + bytes(100),
        "bmp_data_far_away": _bmp(16, 16, start=2**32 - 1) + bytes(1000),
        "bmp_1_pixel_of_20_mb": _bmp(1, 1) + bytes(most - _BMP_HEADER),
        "bmp_one_column": _bmp(1, (most - _BMP_HEADER) // 4) + bytes(most - _BMP_HEADER),
    }


_LOOP = b"II*\0" + struct.pack("<LHHHLLL", 8, 1, 0x8769, 4, 1, 8, 8)
"""An EXIF directory that is its own next one."""


def _still() -> bytes:
    """Return the chunk of a flat image of 16 x 16 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "WEBP", lossless=True)
    return file.getvalue()[12:]


def _flat_lossy(side: int) -> bytes:
    """Return a VP8 frame that is all zeros behind its header: 4.11 bits of modes and 5.7 of coefficients a block."""
    blocks = ((side + 15) // 16) ** 2
    modes, coefficients = bytes(100 + int(blocks * 4.11 / 8)), bytes(100 + int(blocks * 5.7 / 8))
    shown_key_frame = struct.pack("<L", 1 << 4 | len(modes) << 5)[:3]
    return shown_key_frame + b"\x9d\x01\x2a" + struct.pack("<HH", side, side) + modes + coefficients


def _flat_lossless(side: int) -> bytes:
    """Return the chunk of a flat image of any size: its pixels take no bits."""
    chunk = _still()
    rest = int.from_bytes(chunk[9:13], "little") >> 28 << 28
    return chunk[:9] + struct.pack("<L", (side - 1) | (side - 1) << 14 | rest) + chunk[13:]


def _extended(flags: int, side: int = 16) -> bytes:
    return _chunk(b"VP8X", struct.pack("<L", flags) + struct.pack("<L", side - 1)[:3] * 2)


def _riff(chunks: bytes) -> bytes:
    return _chunk(b"RIFF", b"WEBP" + chunks)


def _chunk(name: bytes, content: bytes = b"") -> bytes:
    return name + struct.pack("<L", len(content)) + content + bytes(len(content) % 2)


def _bmp(width: int, height: int, start: int = _BMP_HEADER) -> bytes:
    header = struct.pack("<LHHL", 1000, 0, 0, start) + struct.pack("<LllHHLLllLL", 40, width, height, 1, 24, *[0] * 6)
    return b"BM" + header
