"""One kept HTTP/1.1 connection, with minimal client overhead."""

import asyncio
import re
from typing import Self, cast

_HEAD_END = b"\r\n\r\n"
_RETRY_AFTER = re.compile(rb"\r\nretry-after: (\d{1,4})\r?$", re.IGNORECASE | re.MULTILINE)
_LENGTH = b"\r\ncontent-length:"
LOST = 0
"""The status of a request whose connection ended before its response."""


class Connection(asyncio.Protocol):
    """Sends one request after another; reconnects if the server closed the connection."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._port = port
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._replied: asyncio.Future[int] | None = None
        self._seen = bytearray()
        self._expected = -1
        self.body = b""
        """The body of the last response."""
        self.retry_after = 0
        """What it says in seconds, or 0."""

    async def send(self, request: bytes) -> int:
        """Send a whole request and return the status of the response, or LOST."""
        try:
            if self._transport is None:
                await self.open()
        except OSError:
            return LOST
        assert self._transport is not None
        self._replied = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._replied

    async def open(self) -> Self:
        """Connect.

        Raises:
            OSError: the port is not open.
        """
        await asyncio.get_running_loop().create_connection(lambda: self, self._host, self._port)
        return self

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._seen.clear()
        self._expected = -1

    def data_received(self, data: bytes) -> None:
        """Take received bytes; the response is complete when it has its announced length."""
        self._seen += data
        if self._expected < 0:
            self._expected = _length_of(self._seen)
        if 0 <= self._expected <= len(self._seen):
            self._finish(bytes(self._seen))

    def connection_lost(self, _: Exception | None) -> None:
        """Tell the waiting request."""
        self._transport = None
        if self._replied is not None and not self._replied.done():
            self._replied.set_result(LOST)

    def _finish(self, response: bytes) -> None:
        head = response.partition(_HEAD_END)[0]
        self.body = response[len(head) + len(_HEAD_END) :]
        found = _RETRY_AFTER.search(head)
        self.retry_after = int(found[1]) if found else 0
        self._seen.clear()
        self._expected = -1
        if b"connection: close" in head.lower() and self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._replied is not None and not self._replied.done():
            self._replied.set_result(int(head[9:12]))


def _length_of(seen: bytearray) -> int:
    """Return the length of the whole response, or -1 while its head is incomplete."""
    end = seen.find(_HEAD_END)
    if end < 0:
        return -1
    head = seen[:end].lower() + b"\r\n"
    at = head.find(_LENGTH)
    length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at + len(_LENGTH))]) if at >= 0 else 0
    return end + len(_HEAD_END) + length
