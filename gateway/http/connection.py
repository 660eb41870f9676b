"""uvicorn's HTTP connection, with limits on a request's head, and the request target exactly as it was sent."""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway.http.uvicorn_internals import HookedConnection
from gateway.settings import Settings

_KEY = "connection"


@dataclass(slots=True)
class ReceivedRequest:
    """What the connection and the middleware share about one request.

    `target` is the target of the request line, undecoded, with query and fragment. `on_connection_lost`, if set, is
    called when the connection ends.
    """

    target: bytes = b""
    on_connection_lost: Callable[[], None] | None = None


def take_received(scope: MutableMapping[str, Any]) -> ReceivedRequest:
    """Return what `Connection` noted about an ASGI scope's request; empty for any other connection class."""
    received: ReceivedRequest | None = scope["state"].pop(_KEY, None)
    return ReceivedRequest() if received is None else received


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\n\r\nThe headers of the request are too large."
)


class Connection(HookedConnection):
    """Closes a connection whose request head is too large or too slow; uvicorn and its parser limit neither."""

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

    def opened(self) -> None:
        """Start the timer for the first request's head."""
        self._wait_for_head()

    def parsed(self, length: int) -> None:
        """Count the bytes of an incomplete head, because the parser buffers a header until it is complete."""
        if self._is_in_head and self._waiting_for_head is None:  # most heads arrive whole, and need no timer
            self._wait_for_head()
        if self._waiting_for_head is not None:
            self.head_grown(length)

    def ended(self) -> None:
        """Stop the timer, and notify the request in progress."""
        self._stop_waiting()
        if self._received.on_connection_lost is not None:
            self._received.on_connection_lost()

    def head_begun(self) -> None:
        """Start counting the bytes of a head."""
        self._header_bytes = 0
        self._is_in_head = True

    def head_grown(self, length: int) -> None:
        """Count bytes of a head, and reject one that is too large."""
        self._header_bytes += length
        if self._header_bytes > self.max_header_bytes:
            self.end(_TOO_LARGE)

    def head_ended(self) -> None:
        """Pass the target to the middleware."""
        self._is_in_head = False
        self._stop_waiting()
        self._received = ReceivedRequest(self.target)
        self.request_state[_KEY] = self._received

    def _wait_for_head(self) -> None:
        self._waiting_for_head = self.later(self.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting_for_head is not None:
            self._waiting_for_head.cancel()
            self._waiting_for_head = None

    def _give_up(self) -> None:
        self._waiting_for_head = None
        self.end()
