"""The trace that a request belongs to, from the header `traceparent` of W3C Trace Context (level 2)."""

import re
from typing import NamedTuple

TRACEPARENT = "traceparent"

_SAMPLED = 0x01
_HEADER = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_MOST_BYTES = 256


class TraceContext(NamedTuple):
    """One trace. `traceparent` is the header as received; `sampled` is whether the sender records the trace."""

    trace_id: str
    sampled: bool
    traceparent: str


def read_traceparent(header: bytes | None) -> TraceContext | None:
    """Return the trace in a header, None if the header is missing or invalid."""
    if header is None or len(header) > _MOST_BYTES:
        return None
    found = _HEADER.fullmatch(header)
    if found is None or (found[1] == b"00" and found[5] is not None):  # only later versions may have more fields
        return None
    return TraceContext(found[2].decode(), bool(int(found[4], 16) & _SAMPLED), header.decode())
