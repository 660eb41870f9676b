"""One kept HTTP/1.1 connection, with minimal client overhead."""

import asyncio
import errno
import os
import re
import ssl
from dataclasses import dataclass
from typing import Self, cast

from graft.traffic.framing import NotHttpError, ResponseParser

_RETRY_AFTER = re.compile(rb"\r\nretry-after: (\d{1,4})\r?$", re.IGNORECASE | re.MULTILINE)
LOST = 0
"""The status of a request whose connection ended before its response, or could not be made."""
TIMED_OUT = -1
"""The status of a request that had no response in time."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens; with `trust` over TLS, with a certificate for `host`.

    A request that has no response within `patience` seconds has failed.
    """

    port: int
    host: str = "127.0.0.1"
    trust: ssl.SSLContext | None = None
    patience: float | None = None


class KeptConnection:
    """Sends one request after another; connects again if the server, or a timeout, closed the connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._wire: _Wire | None = None
        self.body = b""
        """The body of the last response."""
        self.retry_after = 0
        """What it says in seconds, or 0."""
        self.problem = ""
        """Why the last request has no response, in words."""

    async def send(self, request: bytes, patience: float | None = None) -> int:
        """Send a whole request and return the status of the response, LOST or TIMED_OUT."""
        self.body, self.retry_after, self.problem = b"", 0, ""
        limit = self._endpoint.patience if patience is None else patience
        if limit is not None and limit <= 0:
            self.problem = "no connection was free in time"
            return TIMED_OUT
        try:
            if self._wire is None or self._wire.closed:
                async with asyncio.timeout(limit):
                    await self.open()
        except TimeoutError:
            self.problem = f"no connection within {limit:g} s"
            return TIMED_OUT
        except OSError as error:
            self.problem = _in_words(error)
            return LOST
        assert self._wire is not None
        wire, self._wire = self._wire, None  # a request that is cancelled leaves none behind
        status = await wire.exchange(request, limit)
        self.problem = wire.problem
        self.body = wire.response.body
        found = _RETRY_AFTER.search(wire.response.head)
        self.retry_after = int(found[1]) if found else 0
        if not wire.closed:
            self._wire = wire
        return status

    async def open(self) -> Self:
        """Connect.

        Raises:
            OSError: the port is not open, or the certificate is not trusted.
        """
        to = self._endpoint
        _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, to.host, to.port, ssl=to.trust)
        return self

    def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class _Wire(asyncio.Protocol):
    """One connection from its beginning to its end."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._replied: asyncio.Future[int] | None = None
        self.response = ResponseParser()
        self.problem = ""

    @property
    def closed(self) -> bool:
        return self._transport is None

    async def exchange(self, request: bytes, patience: float | None) -> int:
        """Send a request, and return the status of its response, LOST or TIMED_OUT."""
        loop = asyncio.get_running_loop()
        self.response, self._replied = ResponseParser(), loop.create_future()
        timer = None if patience is None else loop.call_later(patience, self._give_up, patience)
        assert self._transport is not None
        try:
            self._transport.write(request)
            return await self._replied
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            if timer:
                timer.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        if self._replied is None or self._replied.done():
            self.close()  # nothing was requested: what came belongs to no request
            return
        try:
            complete = self.response.feed(data)
        except NotHttpError:
            self._end(LOST, "what responds there is not HTTP/1.1")
            return
        if complete:
            if not self.response.keeps_open:
                self.close()
            self._replied.set_result(self.response.status)

    def connection_lost(self, _: Exception | None) -> None:
        if self.response.end() and self._replied is not None and not self._replied.done():
            self._end(self.response.status)
            return
        within = "within" if self.response.begun else "before"
        self._end(LOST, f"the connection ended {within} the response")

    def _give_up(self, patience: float) -> None:
        self._end(TIMED_OUT, f"no response within {patience:.3g} s")

    def _end(self, status: int, problem: str = "") -> None:
        self.close()
        if self._replied is not None and not self._replied.done():
            self.problem = problem
            self._replied.set_result(status)


def _in_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or error}"
    if error.errno is not None and error.errno in errno.errorcode:  # asyncio's text repeats the address
        return f"no connection: {os.strerror(error.errno).lower()}"
    return f"no connection: {(error.strerror or str(error)).lower()}"
