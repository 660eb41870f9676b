"""The trace that a request belongs to, as W3C Trace Context (level 2) writes it in the header `traceparent`."""

import re
from typing import NamedTuple

TRACEPARENT = "traceparent"

_SAMPLED = 0x01
_HEADER = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_MOST_BYTES = 256


class TraceContext(NamedTuple):
    """One trace. `traceparent` is the header as it came; `sampled` says whether whoever sent it keeps the trace."""

    trace_id: str
    sampled: bool
    traceparent: str


def read_traceparent(header: bytes | None) -> TraceContext | None:
    """Return the trace that a header names, None where there is no header or not a valid one."""
    if header is None or len(header) > _MOST_BYTES:
        return None
    found = _HEADER.fullmatch(header)
    if found is None or (found[1] == b"00" and found[5] is not None):  # only later versions may say more
        return None
    return TraceContext(found[2].decode(), bool(int(found[4], 16) & _SAMPLED), header.decode())
