"""PNGs of up to eight bits a channel, decoded by Pillow: the same bits as libpng in TensorFlow.

Pillow forgives other faults than libpng does, so the chunks are looked at first (ISO/IEC 15948).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import PngImagePlugin

from modelserver.engines.pixels.errors import UnprovedImageError
from modelserver.engines.pixels.from_pillow import rgb_pixels
from modelserver.model.decoded_images import Pixels

_PILLOWS_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
_SIGNATURE_BYTES, _AROUND_CONTENT = 8, 12
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {_GRAY: {1, 2, 4, 8}, _PALETTE: {1, 2, 4, 8}, _RGB: {8}, _GRAY_ALPHA: {8}, _RGB_ALPHA: {8}}
_COLOURS = 256 * 3
_HEADER = struct.Struct(">LLBBBBB")
_CHANNELS = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4}
_ONE_PASS = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced image: left, top, and the steps across and down."""

_ANCILLARY = {
    *(b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"eXIf"),
    *(b"tRNS", b"hIST", b"oFFs", b"vpAg", b"orNT"),
}
"""Those that tell nothing of the pixels, or only of their alpha, which is dropped."""

_DATA_AT_A_TIME = 2**14
"""Bytes, which inflate to 17 MB at most."""

_IMAGE_DATA, _COLOUR_TABLE, _END = b"IDAT", b"PLTE", b"IEND"


class _Chunk(NamedTuple):
    name: bytes
    content: memoryview


def decode(content: bytes) -> Pixels:
    """Return a PNG's pixels, uint8 [H, W, 3] RGB without alpha.

    Raises:
        UnprovedImageError: it is of a kind that other decoders may decode otherwise, or has a fault.
    """
    depth, colours = content[24:25], content[25:26]
    if not colours or depth[0] not in _DEPTHS.get(colours[0], set()):
        raise UnprovedImageError("a PNG of 16 bits a channel")
    chunks = list(_chunks(content))
    _check(chunks, colours[0])
    _check_data(b"".join(chunk.content for chunk in chunks if chunk.name == _IMAGE_DATA), chunks[0].content)
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(content)) as image:
            image.load()
            image.info.pop("transparency", None)  # or Pillow would warn that it is dropped, which is wanted
            return rgb_pixels(image)
    except _PILLOWS_ERRORS as error:
        raise UnprovedImageError("a PNG with a fault") from error


def _check_data(data: bytes, header: memoryview) -> None:
    """Refuse data that inflate to more or fewer bytes than the pixels have: Pillow takes black for what is missing."""
    width, height, depth, colours, *_, interlaced = _HEADER.unpack(header)
    bits = depth * _CHANNELS[colours]
    expected = sum(
        (1 + (-(-(width - left) // across) * bits + 7) // 8) * -(-(height - top) // down)
        for left, top, across, down in (_ADAM7 if interlaced else _ONE_PASS)
        if width > left and height > top
    )
    unpacker, seen = zlib.decompressobj(), 0
    try:
        for start in range(0, len(data), _DATA_AT_A_TIME):
            if seen <= expected:
                seen += len(unpacker.decompress(data[start : start + _DATA_AT_A_TIME], expected + 1 - seen))
    except zlib.error as error:
        raise UnprovedImageError("a PNG with a fault") from error
    if seen != expected or not unpacker.eof or unpacker.unused_data:
        raise UnprovedImageError("a PNG with a fault")


def _chunks(content: bytes) -> Iterator[_Chunk]:
    """Yield the chunks up to the last, each of which is whole."""
    whole = memoryview(content)
    at, name = _SIGNATURE_BYTES, b""
    while name != _END:
        length, name = int.from_bytes(whole[at : at + 4], "big"), bytes(whole[at + 4 : at + 8])
        end = at + length + _AROUND_CONTENT
        if end > len(content) or zlib.crc32(whole[at + 4 : end - 4]) != int.from_bytes(whole[end - 4 : end], "big"):
            raise UnprovedImageError("a PNG with a fault")
        yield _Chunk(name, whole[at + 8 : end - 4])
        at = end


def _check(chunks: list[_Chunk], colours: int) -> None:
    """Refuse what is in another order, twice or unknown."""
    names = [chunk.name for chunk in chunks]
    others = set(names) - {b"IHDR", _COLOUR_TABLE, _IMAGE_DATA, _END}
    data = [place for place, name in enumerate(names) if name == _IMAGE_DATA]
    tables = [chunk.content for chunk in chunks if chunk.name == _COLOUR_TABLE]
    table_bytes = len(tables[0]) if tables else 0
    if (
        not data
        or data[-1] - data[0] + 1 != len(data)
        or names[0] != b"IHDR"
        or names.count(b"IHDR") > 1
        or len(chunks[0].content) != 13
        or bytes(chunks[0].content[10:12]) != b"\0\0"
        or chunks[0].content[12] > 1
        or len(chunks[-1].content)
        or others - _ANCILLARY
        or len(tables) != (colours == _PALETTE)
        or table_bytes > _COLOURS
        or table_bytes % 3
        or (tables and names.index(_COLOUR_TABLE) > data[0])
        or any(names.count(name) > 1 for name in (b"tRNS", b"iCCP"))
    ):
        raise UnprovedImageError("an unusual PNG")
