"""What a PNG's chunks hold besides its pixels (RFC 2083).

A PNG of one pixel can hold 2 MB that inflate to 2 GiB of zeros, and decoders inflate them all.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from contract.image_cost.limits import (
    ALWAYS_CHEAP_PNG_BYTES,
    LONGEST_PNG_TEXT,
    MAX_INFLATION,
    MAX_PNG_CHUNKS,
    MAX_PNG_TEXT_BYTES,
    png_data_allowed,
    png_raw_bytes,
)

_START = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">LLBB")
_CHUNK = struct.Struct(">L4s")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TEXTS = frozenset({b"zTXt", b"iTXt", b"iCCP"})
_AROUND_CONTENT = 12
_INPUT_BYTES, _OUTPUT_BYTES = 64 * 1024, 1024 * 1024
_HARMLESS_BYTES = 400_000_000
"""Libpng inflates so much in less than a second."""

_EXTRA_BYTES = 1024 * 1024
"""How much more than its pixels a PNG may inflate to: some encoders write a little."""

_MOST_WORK = 200_000_000
_WORK_PER_INPUT_BYTE = 8  # nanoseconds, about; a byte of output takes 0.8


class _Chunks(NamedTuple):
    """The compressed pixels, in pieces, and how much the texts could inflate to. `number` is how many there are."""

    data: list[memoryview]
    text_bytes: int
    number: int


def is_png(content: bytes) -> bool:
    """Return whether it begins as a PNG."""
    return content.startswith(_START)


def too_much_data(content: bytes) -> str:
    """Return what is wrong with a PNG's chunks as the end of a sentence, empty if nothing is.

    Its pixels are inflated if they could be more than their number needs, which takes up to 0.2 seconds of a processor
    and little memory.
    """
    if len(content) <= ALWAYS_CHEAP_PNG_BYTES:
        return ""
    width, height, depth, kind = _HEADER.unpack_from(content, 16)
    raw_bytes = png_raw_bytes(width, height, depth * _CHANNELS.get(kind, 4))
    chunks = _chunks_of(content)
    if chunks.number > MAX_PNG_CHUNKS:
        return f"has more than {MAX_PNG_CHUNKS} chunks"
    if chunks.text_bytes > MAX_PNG_TEXT_BYTES:
        return "has compressed texts that could become hundreds of megabytes"
    if sum(map(len, chunks.data)) > png_data_allowed(raw_bytes) or _inflates_beyond(chunks.data, raw_bytes):
        return f"has more data than its {width} x {height} pixels need"
    return ""


def _chunks_of(content: bytes) -> _Chunks:
    whole = memoryview(content)
    data, text_bytes, number = [], 0, 0
    for name, start, length in _places(content):
        number += 1
        if name == b"IDAT":
            data.append(whole[start : start + length])
        elif name in _TEXTS:
            text_bytes += min(length * MAX_INFLATION, LONGEST_PNG_TEXT)
        if number > MAX_PNG_CHUNKS:
            break
    return _Chunks(data, text_bytes, number)


def _places(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's name, and the start and length of its content."""
    at, end = len(_START), len(content) - _CHUNK.size
    name = b""
    while at <= end and name != b"IEND":
        length, name = _CHUNK.unpack_from(content, at)
        yield name, at + _CHUNK.size, length
        at += length + _AROUND_CONTENT


def _inflates_beyond(data: list[memoryview], raw_bytes: int) -> bool:
    """Return whether the pixels inflate to more than they should, or would take too long to inflate.

    Inflating ends as soon as the rest could do no harm. Damaged data does none: the decoder stops there.
    """
    left = sum(map(len, data))
    inflated = work = 0
    unpacker = zlib.decompressobj()
    try:
        for piece in _slices(data):
            if left * MAX_INFLATION <= _HARMLESS_BYTES or unpacker.eof:
                return False
            left -= len(piece)
            work += len(piece) * _WORK_PER_INPUT_BYTE
            rest: bytes | memoryview = piece
            while rest:
                size = len(unpacker.decompress(rest, _OUTPUT_BYTES))
                inflated, work = inflated + size, work + size * 4 // 5
                if inflated > raw_bytes + _EXTRA_BYTES or work > _MOST_WORK:
                    return True
                rest = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return False


def _slices(data: list[memoryview]) -> Iterator[memoryview]:
    for chunk in data:
        for at in range(0, len(chunk), _INPUT_BYTES):
            yield chunk[at : at + _INPUT_BYTES]
