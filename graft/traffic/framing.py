"""Where an HTTP/1.1 response ends, read as it arrives."""

import re

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)
_KEEPS = re.compile(rb"\r\nconnection:[^\r]*keep-alive", re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
_BEGINNING, _STATUS_LINE_LENGTH = b"HTTP/1.", len("HTTP/1.1 200")
_WITHOUT_BODY = {204, 304}


class NotHttpError(Exception):
    """What came is not a response of HTTP/1.1."""


class ResponseParser:
    """Takes the bytes of one response; once `feed` returns True it has `status`, `head` and `body`."""

    def __init__(self) -> None:
        self.status = 0
        self.head = b""
        self.body = b""
        self._seen = bytearray()
        self._length: int | None = None
        self._chunked = False

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return bool(self._seen or self.head)

    @property
    def keeps_open(self) -> bool:
        """Whether the connection may be used for another request."""
        if not self._chunked and self._length is None:
            return False
        return bool(_KEEPS.search(self.head) if self.head.startswith(b"HTTP/1.0") else not _CLOSES.search(self.head))

    def feed(self, data: bytes) -> bool:
        """Take received bytes; return whether the response is complete.

        Raises:
            NotHttpError: it is not HTTP/1.1.
        """
        self._seen += data
        while not self.head:
            if not self._read_head():
                return False
        if self._chunked:
            return self._join_chunks()
        if self._length is None or len(self._seen) < self._length:
            return False
        self.body = bytes(self._seen[: self._length])
        return True

    def end(self) -> bool:
        """Take the end of the connection; return whether the response is complete: one without a length is."""
        if not self.head or self._chunked or self._length is not None:
            return False
        self.body = bytes(self._seen)
        return True

    def _read_head(self) -> bool:
        """Read the head, if it is complete; return whether something was read."""
        end = self._seen.find(_HEAD_END)
        found = _STATUS_LINE.match(self._seen)
        if not found and (len(self._seen) >= _STATUS_LINE_LENGTH or not _BEGINNING.startswith(self._seen[:7])):
            raise NotHttpError
        if end < 0 or not found:
            return False
        self.status = int(found[1])
        head = bytes(self._seen[: end + len(_HEAD_END)])
        del self._seen[: len(head)]
        if 100 <= self.status < 200:
            return True  # the real one follows
        self.head = head
        length = _LENGTH.search(head)
        self._chunked = bool(_CHUNKED.search(head))
        self._length = 0 if self.status in _WITHOUT_BODY else int(length[1]) if length else None
        return True

    def _join_chunks(self) -> bool:
        if not self._seen.endswith(b"\r\n"):
            return False
        body = joined_chunks(bytes(self._seen))
        if body is None:
            return False
        self.body = body
        return True


def joined_chunks(content: bytes) -> bytes | None:
    """Return the body that was sent in chunks, or None while some are missing.

    Raises:
        NotHttpError: a chunk's size is not a number.
    """
    parts: list[bytes] = []
    at = 0
    while (end := content.find(b"\r\n", at)) >= 0:
        try:
            size = int(content[at:end].partition(b";")[0], 16)
        except ValueError:
            raise NotHttpError from None
        at = end + 2
        if not size:
            trailers = content[at:]
            return b"".join(parts) if trailers == b"\r\n" or trailers.endswith(_HEAD_END) else None
        if at + size + 2 > len(content):
            return None
        parts.append(content[at : at + size])
        at += size + 2
    return None
