"""The EXIF orientation of an encoded image, as `trainer.data.orientation.reading` finds it in a TensorFlow graph.

For those who decode without TensorFlow. Pillow's own reading also looks at XMP and texts, and raises all kinds of
errors for EXIF data that are odd.
"""

import re
import struct
from collections.abc import Iterator
from typing import Literal

from contract.image_cost.jpeg import is_jpeg
from contract.image_cost.limits import segments_allowed
from contract.image_cost.png import is_png

_EXIF = b"Exif\0\0"
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_WITHOUT_CONTENT = frozenset({0x01, *range(0xD0, 0xD9)})
_LAST = frozenset({0xD9, 0xDA})
_APPLICATION, _BEFORE_EXIF, _WINDOW = 0xE1, 10, 246
_SHORTEST, _LONGEST_UNDIVIDED, _MOST_EXIF_BYTES = 8, 60_000, 1_000_000
_ALWAYS_WALKED_BYTES = 64 * 1024
_WEBP_FLAGS_AT, _WEBP_EXIF_FLAG = 20, 0x08

_ORDERS: dict[bytes, Literal["little", "big"]] = {
    **dict.fromkeys((b"II*\0", b"II\0*"), "little"),
    **dict.fromkeys((b"MM\0*", b"MM*\0"), "big"),
}
_ORIENTATION_TAG, _ENTRY_BYTES, _INLINE_BYTES = 0x0112, 12, 4
_VALUE_BYTES = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_RATIONALS, _FLOATS = (5, 10), {11: "f", 12: "d"}


def orientation_of(content: bytes) -> int:
    """Return the orientation of an image of any kind, 1 to 8; 1, upright, if it has none.

    ValueError if it has more segments or chunks before it than it may have.
    """
    if is_jpeg(content):
        # a long one is walked through in any case, as in the graph, which refuses one of too many segments
        may_have = len(content) > _ALWAYS_WALKED_BYTES or _EXIF in content
        return _orientation_in(_jpeg_exif(content)) if may_have else 1
    if is_png(content):
        return _orientation_in(_chunk(content, b"eXIf", 8, "big")) if b"eXIf" in content else 1
    flags = content[_WEBP_FLAGS_AT : _WEBP_FLAGS_AT + 1]
    if content.startswith(b"RIFF") and content[8:16] == b"WEBPVP8X" and flags and flags[0] & _WEBP_EXIF_FLAG:
        return _orientation_in(_chunk(content, b"EXIF", 12, "little"))
    return 1


def _jpeg_exif(content: bytes) -> bytes:
    exif, at, steps = b"", 2, segments_allowed(len(content))
    while at < len(content):
        mark = _MARKER.search(content, at)
        if mark is None:
            break
        steps -= 1 + max(mark.start() - at - 1, 0) // _WINDOW
        if steps < 0:
            raise ValueError("too many segments")
        place, marker = mark.start(), content[mark.start() + 1]
        if marker in _LAST:
            break
        at = place + 2
        if marker not in _WITHOUT_CONTENT:
            size = int.from_bytes(content[at : at + 2].ljust(2, b"\0"), "big")
            at += size
            if _is_exif(content, place, at) and len(exif) < _MOST_EXIF_BYTES:
                exif += content[place + _BEFORE_EXIF : at]
        if _SHORTEST <= len(exif) < _LONGEST_UNDIVIDED:  # a program that divides EXIF data fills each segment
            break
    return exif


def _is_exif(content: bytes, start: int, end: int) -> bool:
    is_ours = content[start + 1] == _APPLICATION and content.startswith(_EXIF, start + 4)
    return is_ours and start + _BEFORE_EXIF <= end <= len(content)


def _chunk(content: bytes, wanted: bytes, start: int, order: Literal["little", "big"]) -> bytes:
    """Return the content of a PNG's last EXIF chunk, or of a WebP's first; empty if there is none."""
    found = b""
    for number, (name, at, size) in enumerate(_chunks(content, start, order)):
        if number == segments_allowed(len(content)):
            raise ValueError("too many chunks")
        if name == wanted:
            found = content[at : at + size]
        if name in {b"IEND", b"EXIF"}:
            break
    return found


def _chunks(content: bytes, at: int, order: Literal["little", "big"]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, where its content begins, and its size."""
    while at <= len(content) - 8:
        first, second = content[at : at + 4], content[at + 4 : at + 8]
        name, digits = (second, first) if order == "big" else (first, second)
        size = int.from_bytes(digits, order)
        yield name, at + 8, size
        at += 8 + size + (4 if order == "big" else size % 2)


def _orientation_in(exif: bytes) -> int:
    """Return the orientation in a TIFF behind any number of EXIF prefixes, as `trainer.data.orientation.tiff`."""
    tiff = exif
    while tiff.startswith(_EXIF):
        tiff = tiff[len(_EXIF) :]
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        digits = tiff[at : at + size].ljust(size, b"\0")
        return int.from_bytes(digits, order)

    directory = number(4, 4)
    room = (len(tiff) - directory - 2) // _ENTRY_BYTES
    for entry in range(directory + 2, directory + 2 + _ENTRY_BYTES * min(room, number(directory, 2)), _ENTRY_BYTES):
        kind, count = number(entry + 2, 2), number(entry + 4, 4)
        if number(entry, 2) == _ORIENTATION_TAG and kind in _VALUE_BYTES:
            size = _VALUE_BYTES[kind] * count
            place = entry + 8 if size <= _INLINE_BYTES else number(entry + 8, 4)
            is_whole = 0 < size <= len(tiff) - place
            value = _value(tiff[place : place + _VALUE_BYTES[kind]], kind, order) if is_whole else 0
            return int(value) if value in range(1, 9) else 1
    return 1


def _value(digits: bytes, kind: int, order: Literal["little", "big"]) -> float:
    if kind in _FLOATS:
        (value,) = struct.unpack(("<" if order == "little" else ">") + _FLOATS[kind], digits)
        return float(value)
    if kind not in _RATIONALS:
        return int.from_bytes(digits, order)
    above, below = int.from_bytes(digits[:4], order), int.from_bytes(digits[4:], order)
    return above // below if below and above % below == 0 else 0
