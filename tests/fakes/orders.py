"""Which misbehaviour a request asks for: markers in the bytes of its images.

BROKEN            the image is marked as not valid
BRIGHTNESS:NUMBER that is its brightness
NAN               the first probability is not a number
STATUS:NAME       the call ends with that gRPC status, and details no caller should see
FIRST:N:NAME      so do the first N calls with these very images; the next ones are answered
SLEEP:SECONDS     the call takes that long
HANG              it is never answered
VANISH            the version is unloaded before it can answer
WITHOUT:OUTPUT    the answer lacks that output
WRONG_DTYPE       the probabilities are float64
WRONG_CLASSES     each row has one probability too many
FEWER_ROWS        the answer lacks the last image's row
ROW_WITHOUT       it has everything of that image but the probabilities
MORE_ROWS         the answer has one row more than there are images
LARGE:BYTES       the answer holds that many bytes too much
"""

import re
from dataclasses import dataclass

import grpc

_STATUS = re.compile(rb"(?<!:)STATUS:([A-Z_]+)")
_FIRST = re.compile(rb"FIRST:(\d+):([A-Z_]+)")
_SLEEP = re.compile(rb"SLEEP:([0-9.]+)")
_WITHOUT = re.compile(rb"WITHOUT:(\w+)")
_LARGE = re.compile(rb"LARGE:(\d+)")


@dataclass(frozen=True)
class Orders:
    """What one request asks for; `padding` is in bytes, `sleep` in seconds."""

    status: grpc.StatusCode | None
    first: tuple[int, grpc.StatusCode] | None
    sleep: float
    padding: int
    without: str
    words: frozenset[bytes]


_WORDS = (b"NAN", b"HANG", b"VANISH", b"WRONG_DTYPE", b"WRONG_CLASSES", b"FEWER_ROWS", b"ROW_WITHOUT", b"MORE_ROWS")


def read_orders(images: list[bytes]) -> Orders:
    """Return what the markers in the images of one request ask for, all together."""
    together = b"".join(images)
    status, first = _STATUS.search(together), _FIRST.search(together)
    slept, large, without = _SLEEP.search(together), _LARGE.search(together), _WITHOUT.search(together)
    return Orders(
        status=grpc.StatusCode[status[1].decode()] if status else None,
        first=(int(first[1]), grpc.StatusCode[first[2].decode()]) if first else None,
        sleep=float(slept[1]) if slept else 0.0,
        padding=int(large[1]) if large else 0,
        without=without[1].decode() if without else "",
        words=frozenset(word for word in _WORDS if word in together),
    )
