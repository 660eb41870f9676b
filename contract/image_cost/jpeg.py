"""A JPEG's size and scans, found in its bytes (ITU T.81).

A progressive JPEG of 183 KB can have thousands of scans, each of which passes over all pixels.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from contract.image_cost.limits import MAX_SCANS, scans_allowed, scans_allowed_without_end, segments_allowed
from contract.process.interpreter_turns import PIECE_BYTES

_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""A scan's header: marker, length, and number of components. Decoders refuse any other length."""

_SCAN_BYTES = 5
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ARITHMETIC_FRAMES = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL_FRAMES = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_USUAL_BITS = 8
_WITHOUT_CONTENT = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_END, _SCAN_MARKER = 0xD9, 0xDA


_START = b"\xff\xd8\xff"


class Frame(NamedTuple):
    """What a JPEG declares; `bits` are those of a sample. Its size is 0 x 0 if no frame was found."""

    width: int
    height: int
    arithmetic: bool
    bits: int = 8
    lossless: bool = False
    hierarchical: bool = False
    components: int = 0

    @property
    def unusual_kind(self) -> str:
        """What no usual decoder reads, as "a lossless JPEG"; empty for other JPEGs."""
        if self.hierarchical:
            return "a hierarchical JPEG"
        if self.lossless:
            return "a lossless JPEG"
        return f"a JPEG of {self.bits} bits a sample" if self.width and self.bits != _USUAL_BITS else ""


NO_FRAME = Frame(0, 0, arithmetic=False)


def is_jpeg(content: bytes) -> bool:
    """Return whether it begins as a JPEG."""
    return content.startswith(_START)


def read_frame(content: bytes) -> Frame | None:
    """Return a JPEG's frame, `NO_FRAME` if it has none, and None if it hides behind too many segments."""
    seen = 0
    for marker, at in _segments(content):
        seen += 1
        if marker in _FRAMES:
            height, width = (int.from_bytes(content[at + place : at + place + 2], "big") for place in (3, 5))
            coding = marker in _ARITHMETIC_FRAMES
            if not _is_whole_frame(content, at):  # random bytes, or cut off: nothing more is known
                return Frame(width, height, coding)
            lossless, hierarchical = marker in _LOSSLESS_FRAMES, marker in _HIERARCHICAL_FRAMES
            return Frame(width, height, coding, content[at + 2], lossless, hierarchical, content[at + 7])
        if marker in {_END, _SCAN_MARKER}:
            return NO_FRAME
    return None if seen == segments_allowed(len(content)) else NO_FRAME


def too_many_segments(content: bytes) -> str:
    """Return what is wrong with a JPEG that has too many segments before its size, as the end of a sentence."""
    return f"has more than {segments_allowed(len(content))} segments before its size; photographs have a few"


def scan_start(content: bytes) -> int:
    """Return where a JPEG's first scan begins, behind thumbnails and profiles; -1 if there is none."""
    for marker, at in _segments(content):
        if marker in {_END, _SCAN_MARKER}:
            return at if marker == _SCAN_MARKER else -1
    return -1


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield each segment's marker, and the place behind it, for as many segments as are looked at."""
    at = 2
    for _ in range(segments_allowed(len(content))):
        at = _end_of_fill_bytes(content, content.find(b"\xff", at))  # decoders skip what is not a marker, too
        if not 0 < at < len(content):
            return
        marker, at = content[at], at + 1
        yield marker, at
        if marker not in _WITHOUT_CONTENT:
            at += int.from_bytes(content[at : at + 2], "big")


def _is_whole_frame(content: bytes, at: int) -> bool:
    """Return whether the length at `at` is that of a frame with as many components as it says it has."""
    head = content[at : at + 8]
    return len(head) == 8 and 1 <= head[7] <= 4 and int.from_bytes(head[:2], "big") == 8 + 3 * head[7]


def too_many_scans(content: bytes, frame: Frame) -> str:
    """Return what is wrong with a JPEG's scans as the end of a sentence, empty if it has few enough.

    Scans of thumbnails and previews count too; photographs have a few.
    """
    allowed = scans_allowed(frame.width * frame.height, arithmetic=frame.arithmetic)
    if sum(1 for _ in islice(_scans(content), allowed + 1)) <= allowed:
        return ""
    if allowed == MAX_SCANS:
        return f"has more than {allowed} scans"
    coding = "arithmetic coding and " if frame.arithmetic else ""
    return f"has {coding}more than {allowed} scans of {frame.width} x {frame.height} pixels"


def needs_end(content: bytes, frame: Frame) -> bool:
    """Return whether a JPEG is too large to be decoded without end marker: that takes three times as long."""
    allowed = scans_allowed_without_end(
        frame.width * frame.height, arithmetic=frame.arithmetic, cmyk=frame.components == 4
    )
    return sum(1 for _ in islice(_scans(content, max(scan_start(content) - 2, 0)), allowed + 1)) > allowed


def _end_of_fill_bytes(content: bytes, at: int) -> int:
    """Return the place of the first byte from `at` on that is not 0xff; -1 if `at` is."""
    size = 4
    while 0 <= at < len(content):
        window = content[at : at + size]
        rest = len(window.lstrip(b"\xff"))
        at += len(window) - rest
        if rest:
            break
        size = min(2 * size, PIECE_BYTES)
    return at


def _scans(content: bytes, first: int = 0) -> Iterator[bytes]:
    """Yield the header of each scan from a place on."""
    for start in range(first, len(content), PIECE_BYTES):
        yield from _SCAN.findall(content, start, start + PIECE_BYTES + _SCAN_BYTES - 1)
