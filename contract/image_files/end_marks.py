"""What tells where a JPEG's data end (ITU T.81), for those who look with TensorFlow, and without."""

from contract.image_cost.jpeg import is_jpeg

END = b"\xff\xd9"
SCAN_HEAD = b"\xff\xda\x00"
_RANDOM = bytes.fromhex("9b3ce15a7d0426c8b1f2638ad4175e90cb2d68f3a70c59e4163fb85d8271ca0e")
_OPPOSITE = bytes(255 - number for number in _RANDOM)
_RESTARTS = tuple(bytes([0xFF, 0xD0 + number]) for number in range(8))
STAND_INS = (
    _RANDOM.join([b"", *_RESTARTS, b""]),
    _OPPOSITE.join([b"", *_RESTARTS[4:], *_RESTARTS[:4], b""]),
    _RANDOM[7:] + _OPPOSITE,
)
"""For data that may be missing: no bit of the first two is the same, and whatever restart interval is the next one, at
least one of them goes on with it. The third is for the one cut in 10,000 that looks the same with both.
"""

MAY_FOLLOW = frozenset({0x00, 0xFF, *range(0xD0, 0xD8), 0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE})
"""What may stand behind 0xff from the first scan on: stuffed bytes, restarts, tables, scans and comments."""

TEXT = bytes([0, *b"\t\n\r", *range(0x20, 0x7F)])
LONG_TEXT, KEPT_TEXT = 16, 4
"""So many zeros or characters of text at the end are no image data. The first ones are kept: they may be, by chance."""

SCAN_HEAD_BYTES, COEFFICIENTS, MOST_COMPONENTS = 13, 64, 4


def with_end(content: bytes) -> bytes:
    """Return an image of any kind, with an end marker behind a JPEG, for Pillow decodes none without.

    One more, where it is there, changes nothing. Of a JPEG that is cut short it makes one with a grey rest.
    """
    return content + END if is_jpeg(content) else content
