"""uvicorn's HTTP connection, with limits on what a caller may send and how long it may take to send and to read."""

import math
import resource
import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from gateway.http.uvicorn_internals import HookedConnection
from gateway.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle; longer than the minute of common load balancers, so that they close first."""

_KEY = "connection"
_MAX_PIPELINED = 64
_FREE_FRAMING_BYTES = 64 * 1024
_FRAMING_SHARE = 8
_LEAST_READ_BYTES = 1024 * 1024
_EVICTED_AFTER_SECONDS = 0.5
_SMALL_UNSENT_BYTES = 64 * 1024
_MOST_UNSENT_BYTES = 64 * 1024 * 1024
"""Of all responses that are written and that their callers have not read: a request of 181 bytes may have 853 KB."""

_OTHER_DESCRIPTORS = 50  # files, listening sockets, connections to the model server
_RETRY_LATER = b"retry-after: 1\r\n"


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


class Awaited(IntEnum):
    """What a connection waits for; those with the least number are ended first if there are too many."""

    REQUEST = 0  # nothing has arrived since the last response
    HEAD = 1
    BODY = 2
    READING = 3  # the caller's, of a response
    GATEWAY = 4


class Connection(HookedConnection):
    """Ends a connection whose caller sends or reads too slowly, or too much; uvicorn and its parser limit neither.

    The server calls `watch` several times a second, so that no request costs a timer.
    """

    max_header_bytes = 0
    max_connections = 0
    header_seconds = 0.0
    body_seconds = 0.0
    write_seconds = 0.0
    idle_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._framing_bytes = 0
        self._body_bytes_before = 0
        self._is_in_head = False
        self._is_between = False
        self._awaited = Awaited.HEAD
        self._since = 0.0
        self._until = math.inf
        self._unsent = 0
        self._unsent_since = 0.0
        self._received = ReceivedRequest()

    @classmethod
    def limited_by(cls, settings: Settings) -> type["Connection"]:
        """Return the class with the limits of these settings."""
        limits = {
            "max_header_bytes": settings.max_header_bytes,
            "max_connections": min(settings.max_connections, _descriptors()),
            "header_seconds": settings.header_timeout_seconds,
            "body_seconds": settings.body_timeout_seconds,
            "write_seconds": settings.write_timeout_seconds,
            "idle_seconds": KEEP_ALIVE_SECONDS,
        }
        return type("Connection", (cls,), limits)

    def watch(self, now: float) -> None:
        """End the connection if its caller has taken too long."""
        if now > self._until and not self.is_responding():  # while it responds, the middleware says so in words
            self.end()
        self._watch_reading(now)

    def standing(self, now: float) -> tuple[Awaited, float] | None:
        """Return what is awaited and since when, for choosing whom to end; None if it is not the caller's turn."""
        if self._unsent:
            found = Awaited.READING, self._unsent_since
        elif self._awaited is Awaited.GATEWAY or self.is_closing():
            return None
        else:
            found = self._awaited, self._since
        if found[0] is not Awaited.REQUEST and now - found[1] < _EVICTED_AFTER_SECONDS:
            return None
        return found

    def make_room(self) -> None:
        """End the connection, because another one needs its place."""
        if self._unsent:
            self.abort()
        elif self._awaited is Awaited.HEAD or self.is_responding():
            self.end_with(503, "The gateway has as many connections as it takes, and this one was slow.", _RETRY_LATER)
        else:
            self.end()

    def opened(self) -> None:
        """Wait for the first head, or find no place."""
        self._await(Awaited.HEAD, self.header_seconds)
        if len(self.others) > self.max_connections and not self._find_place():
            self.end_with(503, "The gateway has as many connections as it takes; try again shortly.", _RETRY_LATER)

    def parsed(self, length: int) -> None:
        """Count the bytes of heads and of the framing of bodies: the parser keeps or skips them without end."""
        if self._awaited is Awaited.GATEWAY and not self._is_in_head:  # most requests arrive whole
            return
        if self._is_between:  # the rest of a body whose request has its response
            self._is_between = False
            return
        is_head = self._is_in_head or self._awaited is Awaited.REQUEST  # as are line ends between requests
        if is_head and self._awaited is not Awaited.HEAD:
            self._await(Awaited.HEAD, self.header_seconds)
        if self._awaited is Awaited.HEAD:
            self.head_grown(length)
        elif self._awaited is Awaited.BODY:
            self._framing_bytes += length
            free = _FREE_FRAMING_BYTES + self.max_header_bytes  # the head may have come with it
            if self._framing_bytes > free + self._body_bytes() // _FRAMING_SHARE:
                self.end_with(400, "The chunks of the body are too small, or their extensions or trailers too large.")

    def ended(self) -> None:
        """Notify the request in progress."""
        self._until = math.inf
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
            self.end_with(431, "The headers of the request are too large.")

    def head_ended(self) -> None:
        """Pass the target to the middleware, and wait for the body."""
        self._is_in_head = False
        self._framing_bytes = 0
        self._body_bytes_before = self.parser.body_bytes
        self._received = ReceivedRequest(self.target)
        self.request_state[_KEY] = self._received
        self._await(Awaited.BODY, self.body_seconds)
        if self.waiting_requests >= _MAX_PIPELINED:
            self.end_with(400, f"More than {_MAX_PIPELINED} requests were sent before the response to the first.")

    def body_ended(self) -> None:
        """Leave the caller in peace while the gateway works."""
        if self.is_responding():
            self._awaited, self._until = Awaited.GATEWAY, math.inf
        else:
            self._is_between = not self._is_in_head
            self._await(Awaited.REQUEST, self.idle_seconds)

    def responded(self) -> None:
        """Wait for the next request, unless the rest of a body is still to come; see that the response has room."""
        if self.unsent() > _SMALL_UNSENT_BYTES:
            self._bound_unsent()
        if self._awaited is Awaited.GATEWAY and not self.waiting_requests:
            self._await(Awaited.REQUEST, self.idle_seconds)

    def _body_bytes(self) -> int:
        return self.parser.body_bytes - self._body_bytes_before

    def _await(self, awaited: Awaited, seconds: float) -> None:
        self._awaited, self._since = awaited, time.monotonic()
        self._until = self._since + seconds

    def _watch_reading(self, now: float) -> None:
        """Abort if the caller read less than a megabyte of what is unsent, and not all of it, in the time for it."""
        unsent = self.unsent()
        if not unsent or not self._unsent or unsent <= self._unsent - _LEAST_READ_BYTES:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self.write_seconds:
            self.abort()

    def _bound_unsent(self) -> None:
        """Abort those who have not read their responses for longest, if these are too much memory in all."""
        unsent = [(each.reads_slowly_since(), number, each) for number, each in enumerate(self.others)]
        total = sum(each.unsent() for *_, each in unsent)
        now = time.monotonic()
        for since, _, each in sorted(unsent):
            if total <= _MOST_UNSENT_BYTES or now - since < _EVICTED_AFTER_SECONDS:
                break
            total -= each.unsent()
            each.abort()

    def reads_slowly_since(self) -> float:
        """Return since when the caller has not read much of what is unsent; never, if there is nothing."""
        return self._unsent_since if self._unsent else math.inf

    def _find_place(self) -> bool:
        """End the connection that waits for its caller for longest, first one without a request; False if none."""
        now = time.monotonic()
        found = [
            (standing, number, each)
            for number, each in enumerate(self.others)
            if each is not self and (standing := each.standing(now)) is not None
        ]
        if not found:
            return False
        min(found)[2].make_room()
        return True


def _descriptors() -> int:
    """Return how many connections the system's limit on open files leaves, at least 1."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else max(1, most - _OTHER_DESCRIPTORS)
