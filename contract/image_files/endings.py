"""JPEGs without end marker, judged as training judges them (`trainer.data.jpeg.ending`), without TensorFlow."""

import re
from collections import defaultdict

from contract.image_cost.jpeg import is_jpeg, needs_end, read_frame, scan_start
from contract.image_files.end_marks import (
    COEFFICIENTS,
    END,
    KEPT_TEXT,
    LONG_TEXT,
    MAY_FOLLOW,
    MOST_COMPONENTS,
    SCAN_HEAD,
    SCAN_HEAD_BYTES,
    STAND_INS,
    TEXT,
)

_CMYK = 4
_ALL = (1 << COEFFICIENTS) - 1
_STOP = re.compile(b"\xff[^" + b"".join(re.escape(bytes([second])) for second in sorted(MAY_FOLLOW)) + b"]", re.DOTALL)


def ended(content: bytes, components: int) -> tuple[bytes, ...]:
    """Return an image as it is or, of a JPEG without end marker, with several endings, for Pillow needs one.

    Its pixels do not depend on these if all its data are there. ValueError if its scans cannot have them all, for as
    many components as it has, or if there are too many to decode it several times.
    """
    if not is_jpeg(content) or (content.endswith(END) and components != _CMYK):
        return (content,)
    start, stop = _data_of(content)
    if content.startswith(END, stop):
        return (content,)
    data = content[start:stop]
    kept = len(data.rstrip(TEXT))
    if len(data) - kept >= LONG_TEXT:
        data = data[: kept + KEPT_TEXT]
    if not _has_all_coefficients(data, components):
        raise ValueError("cut short")
    frame = read_frame(content)
    if frame is None or needs_end(content[:stop], frame):
        raise ValueError("takes too long to decode thrice")
    stuffing = b"\0" if data.endswith(b"\xff") else b""
    return tuple(b"".join([content[:start], data, stuffing, each, END]) for each in STAND_INS)


def _has_all_coefficients(data: bytes, components: int) -> bool:
    """Return whether scans have each coefficient of each component to the last bit."""
    sent: dict[int, int] = defaultdict(int)  # by component, one bit for each coefficient
    for scan in data.split(SCAN_HEAD)[1:]:
        head = scan[:SCAN_HEAD_BYTES].ljust(SCAN_HEAD_BYTES, b"\0")
        count = min(head[1], MOST_COMPONENTS)
        first, last, bits = head[2 + 2 * count : 5 + 2 * count]
        if bits % 16 == 0 and first <= last:
            for component in head[2 : 2 + 2 * count : 2]:
                sent[component] |= (1 << last + 1) - (1 << first)
    return sum(1 for each in sent.values() if each & _ALL == _ALL) == components


def _data_of(content: bytes) -> tuple[int, int]:
    """Return where the first scan begins, and where what can be image data ends."""
    start = max(scan_start(content) - 2, 0)
    stop = _STOP.search(content, start)
    return start, stop.start() if stop else len(content)
