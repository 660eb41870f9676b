"""What the gateway overrides in uvicorn, all in one place: its connection and its server as they are within.

uvicorn documents neither class for inheritance, so its version is capped in pyproject.toml, and
tests/test_library_internals.py names every part that is used. Whoever inherits from these classes uses the hooks.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class HookedConnection(HttpToolsProtocol):
    """One HTTP connection, which tells its subclass how a request's head comes in and when the connection ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open the connection."""
        super().connection_made(transport)
        self.opened()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        super().data_received(data)
        self.parsed(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(exc)
        self.ended()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.head_begun()

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        super().on_url(url)
        self.head_grown(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header."""
        self.head_grown(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on, unless the connection is being closed."""
        self.head_ended()
        if not self.is_closing():
            super().on_headers_complete()

    def opened(self) -> None:
        """Hear that the connection is open."""

    def parsed(self, length: int) -> None:
        """Hear that so many bytes came and were parsed."""

    def ended(self) -> None:
        """Hear that the connection has ended."""

    def head_begun(self) -> None:
        """Hear that the head of a request begins."""

    def head_grown(self, length: int) -> None:
        """Hear that the head has so many bytes more."""

    def head_ended(self) -> None:
        """Hear that the head is complete, before the request is handed on."""

    @property
    def request_state(self) -> dict[str, Any]:
        """The `state` in the scope of the request that began last; there has to be one."""
        return self.scope["state"]

    @property
    def target(self) -> bytes:
        """The target of the request line so far, as it came."""
        return self.url

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return self.transport.is_closing()

    def end(self, last_words: bytes = b"") -> None:
        """Close the connection, unless that was done, after writing `last_words`."""
        if not self.is_closing():
            if last_words:
                self.transport.write(last_words)
            self.transport.close()

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Have `call` called in the connection's event loop."""
        return self.loop.call_later(seconds, call)


class HookedServer(uvicorn.Server):
    """uvicorn's server, whose subclass decides what a signal means, and when it is time to stop."""

    def ready(self) -> None:
        """Hear that requests are accepted from now on."""

    def signalled(self, number: int) -> None:
        """Hear that SIGTERM or SIGINT came."""

    def is_over(self) -> bool:
        """Return whether to stop, asked ten times a second."""
        return False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application and the sockets, then say so."""
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time has come."""
        if self.is_over():
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for what is in flight, close the application; without the waits when forced."""
        await super().shutdown(sockets)
        if self.force_exit:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell the subclass of a signal."""
        self.signalled(sig)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Turn signals into a graceful end; uvicorn's own would raise them again and so spoil the exit code."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class DeafServer(uvicorn.Server):
    """uvicorn's server beside another one in the same event loop, which hears the signals and ends both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield
