"""Where a response ends: lengths, chunks, the end of the connection; in whatever pieces it arrives."""

import pytest

from graft.traffic.framing import NotHttpError, ResponseParser

_WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length:  5\r\n\r\nhello"
_OLD = _WITH_LENGTH.replace(b"1.1", b"1.0")
_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "status", "body", "keeps_open"),
    [
        (_WITH_LENGTH, 200, b"hello", True),
        (_CHUNKS, 200, b"hello", True),
        (_CHUNKS.replace(b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"), 200, b"hello", True),
        (_CHUNKS.replace(b"hel", b"\r\n\r"), 200, b"\r\n\rlo", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + _WITH_LENGTH, 200, b"hello", True),
        (b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", 204, b"", True),
        (_WITH_LENGTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 200, b"hello", False),
        (_OLD, 200, b"hello", False),
        (_OLD.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"), 200, b"hello", True),
        (b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n", 503, b"", True),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_response_is_complete_at_its_last_byte(
    response: bytes, status: int, body: bytes, *, keeps_open: bool, piece: int
) -> None:
    """And not before, whichever way it says how long it is."""
    parser = ResponseParser()
    pieces = [response[at : at + piece] for at in range(0, len(response), piece)]
    assert [parser.feed(each) for each in pieces] == [False] * (len(pieces) - 1) + [True]
    assert (parser.status, parser.body, parser.keeps_open) == (status, body, keeps_open)


def test_a_response_without_a_length_ends_with_its_connection() -> None:
    """As HTTP/1.0 has it."""
    parser = ResponseParser()
    assert not parser.feed(b"HTTP/1.0 200 OK\r\n\r\nhel")
    assert not parser.feed(b"lo")
    assert parser.end()
    assert (parser.status, parser.body, parser.keeps_open) == (200, b"hello", False)


@pytest.mark.parametrize("cut", range(len(_WITH_LENGTH)))
def test_a_response_that_is_cut_is_not_complete(cut: int) -> None:
    """Wherever the connection ends."""
    parser = ResponseParser()
    assert not parser.feed(_WITH_LENGTH[:cut])
    assert not parser.end()


@pytest.mark.parametrize(
    "response",
    [
        b"\0\0\x12\x04\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"hi\r\n\r\n",
        b"HTTP/1.1 OK 200\r\n",
        _CHUNKS.replace(b"3;", b"z;"),
    ],
)
def test_what_is_not_http_is_said(response: bytes) -> None:
    """A gRPC port, another service, chunks without a size."""
    with pytest.raises(NotHttpError):
        ResponseParser().feed(response)
