"""Everything the gateway overrides in uvicorn's internals: its connection and its server.

uvicorn documents neither class for inheritance, so its version is capped in pyproject.toml, and
tests/test_library_internals.py names every part that is used. Subclasses use the hooks only.
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
    """One HTTP connection, with hooks for the parts of a request's head and for the end of the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open the connection, then call the hook."""
        super().connection_made(transport)
        self.opened()

    def data_received(self, data: bytes) -> None:
        """Parse received data, then call the hook."""
        super().data_received(data)
        self.parsed(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the connection, then call the hook."""
        super().connection_lost(exc)
        self.ended()

    def on_message_begin(self) -> None:
        """Begin a request, then call the hook."""
        super().on_message_begin()
        self.head_begun()

    def on_url(self, url: bytes) -> None:
        """Keep a part of the target, then call the hook."""
        super().on_url(url)
        self.head_grown(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Call the hook, then keep one header."""
        self.head_grown(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Call the hook, then pass the request on unless the connection is closing."""
        self.head_ended()
        if not self.is_closing():
            super().on_headers_complete()

    def opened(self) -> None:
        """Hook: the connection is open."""

    def parsed(self, length: int) -> None:
        """Hook: `length` bytes were received and parsed."""

    def ended(self) -> None:
        """Hook: the connection has ended."""

    def head_begun(self) -> None:
        """Hook: the head of a request begins."""

    def head_grown(self, length: int) -> None:
        """Hook: the head has `length` more bytes."""

    def head_ended(self) -> None:
        """Hook: the head is complete; called before the request is passed on."""

    @property
    def request_state(self) -> dict[str, Any]:
        """The `state` in the scope of the latest request; there must be one."""
        return self.scope["state"]

    @property
    def target(self) -> bytes:
        """The target of the request line as received so far."""
        return self.url

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self.transport.is_closing()

    def end(self, last_words: bytes = b"") -> None:
        """Write `last_words` and close the connection, unless it is already closing."""
        if not self.is_closing():
            if last_words:
                self.transport.write(last_words)
            self.transport.close()

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Schedule `call` in the connection's event loop."""
        return self.loop.call_later(seconds, call)


class HookedServer(uvicorn.Server):
    """uvicorn's server; the subclass decides what a signal does and when to stop."""

    def ready(self) -> None:
        """Hook: requests are accepted from now on."""

    def signalled(self, number: int) -> None:
        """Hook: SIGTERM or SIGINT was received."""

    def is_over(self) -> bool:
        """Return whether to stop; called ten times a second."""
        return False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and the sockets, then call the hook."""
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def on_tick(self, counter: int) -> bool:
        """Stop when `is_over` says so."""
        if self.is_over():
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for requests in flight, close the application; when forced, without waiting."""
        await super().shutdown(sockets)
        if self.force_exit:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Call the hook for a signal."""
        self.signalled(sig)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Shut down gracefully on signals; uvicorn would raise them again and change the exit code."""
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
    """uvicorn's server next to another one in the same event loop, which handles signals for both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Install no signal handlers."""
        yield
