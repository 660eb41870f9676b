"""One HTTP connection: uvicorn's, with bounds on the head of a request, and the request's target as it was sent."""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.response_output import AnswerOutput
from gateway.settings import Settings

_KEY = "connection"


@dataclass(slots=True)
class ReceivedRequest:
    """What the connection and the middleware tell each other of one request.

    `target` is the target of the request line: path, `?` and `#` as they came. The response goes through `output`.
    `body_arrived` becomes True once receiving the body takes no waiting any more. `on_connection_lost`, if it is set,
    is called when the connection ends.
    """

    target: bytes = b""
    output: AnswerOutput | None = None
    body_arrived: bool = False
    on_connection_lost: Callable[[], None] | None = None


def take_received(scope: MutableMapping[str, Any]) -> ReceivedRequest:
    """Return what this module's connection told of an ASGI scope's request; other connections tell nothing."""
    received: ReceivedRequest | None = scope["state"].pop(_KEY, None)
    return ReceivedRequest() if received is None else received


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\n\r\nThe headers of the request are larger than accepted."
)


class Connection(HttpToolsProtocol):
    """Ends a connection whose request heads are too large or too slow; uvicorn and its parser bound neither."""

    max_header_bytes = 0
    header_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._is_in_head = False
        self._waiting_for_head: asyncio.TimerHandle | None = None
        self._received = ReceivedRequest()

    @classmethod
    def limited_by(cls, settings: Settings) -> type["Connection"]:
        """Return the class with the limits of these settings."""
        limits = {
            "max_header_bytes": settings.max_header_bytes,
            "header_seconds": settings.header_timeout_seconds,
        }
        return type("Connection", (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request's head."""
        super().connection_made(transport)
        self._output = AnswerOutput(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it where a head does not end: the parser keeps a header until it is complete."""
        super().data_received(data)
        if self._is_in_head and self._waiting_for_head is None:  # most heads come whole, and need no timer
            self._wait_for_head()
        if self._waiting_for_head is not None:
            self._count(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer, and tell the request that is being answered."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._received.on_connection_lost is not None:
            self._received.on_connection_lost()

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        super().on_message_begin()
        self._header_bytes = 0
        self._is_in_head = True

    def on_url(self, url: bytes) -> None:
        """Count the target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count one header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on, with its target."""
        self._is_in_head = False
        self._stop_waiting()
        if self.transport.is_closing():
            return
        self.scope["state"][_KEY] = self._received = ReceivedRequest(self.url, self._output)
        super().on_headers_complete()
        self.cycle.transport = self._output
        self.cycle.body = b""  # type: ignore[assignment] # to which the first piece is added without a copy

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body. From the second on in a bytearray, as always in uvicorn: there may be thousands."""
        so_far = cast("bytes | bytearray", self.cycle.body)
        if so_far and isinstance(so_far, bytes):
            self.cycle.body = bytearray(so_far)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the body is there."""
        super().on_message_complete()
        self._received.body_arrived = True

    def _count(self, length: int) -> None:
        self._header_bytes += length
        if self._header_bytes > self.max_header_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _wait_for_head(self) -> None:
        self._waiting_for_head = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting_for_head is not None:
            self._waiting_for_head.cancel()
            self._waiting_for_head = None

    def _give_up(self) -> None:
        self._waiting_for_head = None
        if not self.transport.is_closing():
            self.transport.close()
