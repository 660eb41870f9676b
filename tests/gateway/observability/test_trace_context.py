"""Which `traceparent` headers name a trace: those that W3C Trace Context calls valid."""

import pytest

from gateway.observability.trace_context import read_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),  # the second bit of level 2: the id is random
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"01-{TRACE}-{SPAN}-01", True),  # a later version is read as far as it is known
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_a_valid_header_names_a_trace(header: str, sampled: bool) -> None:
    """A valid header gives the trace's id, whether it is kept, and itself."""
    assert read_traceparent(header.encode()) == (TRACE, sampled, header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 1000,
        "caf\xe9",
    ],
)
def test_any_other_header_names_none(header: str) -> None:
    """A header that is not valid names no trace."""
    assert read_traceparent(header.encode("latin-1")) is None


def test_no_header_names_none() -> None:
    """No header, no trace."""
    assert read_traceparent(None) is None
