"""Everything the gateway overrides in uvicorn's internals: its connection and its server.

uvicorn documents neither class for inheritance, so its version is capped in pyproject.toml, and
tests/test_library_internals.py names every part that is used. Subclasses use the hooks only.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Collection, Generator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.wire.parser import EnoughError, RequestParser

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_TICK_SECONDS = 0.1
_WATCH_SECONDS = 0.25
_LAST_WORDS_SECONDS = 2.0


class HookedConnection(HttpToolsProtocol):
    """One HTTP connection, with hooks for the parts of a request and for the end of the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser: RequestParser = RequestParser(self)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Open the connection, then call the hook."""
        super().connection_made(transport)
        self.opened()

    def data_received(self, data: bytes) -> None:
        """Parse received data, then call the hook with the number of bytes that are not content of a body."""
        if self.is_closing():
            return
        parser = self.parser
        before = parser.body_bytes
        super().data_received(data)
        self.parsed(len(data) - (parser.body_bytes - before))

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the connection, then call the hook."""
        super().connection_lost(exc)
        self.ended()

    def eof_received(self) -> None:
        """Take the end of what the caller sends for the end of the connection, as uvicorn does."""
        self._abandon()

    def on_message_begin(self) -> None:
        """Begin a request, then call the hook."""
        self._refuse_more()
        super().on_message_begin()
        self.head_begun()

    def on_url(self, url: bytes) -> None:
        """Keep a part of the target, then call the hook."""
        super().on_url(url)
        self.head_grown(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Call the hook, then keep one header."""
        self.head_grown(len(name) + len(value) + 4)
        self._refuse_more()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Call the hook, then pass the request on unless the connection is closing."""
        self.head_ended()
        if not self.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, unless the request was refused before it was passed on."""
        if not self.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, then call the hook."""
        if not self.is_closing():
            super().on_message_complete()
            self.body_ended()

    def on_response_complete(self) -> None:
        """Call the hook, then begin the next request or wait for it."""
        self.responded()
        super().on_response_complete()

    def _refuse_more(self) -> None:
        """Have the parser stop if the connection is closing: a quarter of a megabyte may hold thousands of heads."""
        if self.is_closing():
            raise EnoughError

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a request that the parser rejects, and close the connection."""
        reason = self.parser.failure
        self.end_with(400, f"The request is not valid HTTP/1.1{f': {reason}' if reason else ''}.")

    def opened(self) -> None:
        """Hook: the connection is open."""

    def parsed(self, length: int) -> None:
        """Hook: data was received and parsed; `length` bytes of it are not content of a body."""

    def ended(self) -> None:
        """Hook: the connection has ended."""

    def head_begun(self) -> None:
        """Hook: the head of a request begins."""

    def head_grown(self, length: int) -> None:
        """Hook: the head has `length` more bytes."""

    def head_ended(self) -> None:
        """Hook: the head is complete; called before the request is passed on."""

    def body_ended(self) -> None:
        """Hook: the request is complete; called at once after its head if it has no body."""

    def responded(self) -> None:
        """Hook: the response is written, though perhaps not yet sent."""

    @property
    def request_state(self) -> dict[str, Any]:
        """The `state` in the scope of the latest request; there must be one."""
        return self.scope["state"]

    @property
    def target(self) -> bytes:
        """The target of the request line as received so far."""
        return self.url

    @property
    def others(self) -> Collection[Any]:
        """The open connections of the same server, this one included."""
        return self.connections

    @property
    def waiting_requests(self) -> int:
        """How many requests were received and wait for the response to one before them."""
        return len(self.pipeline)

    def is_responding(self) -> bool:
        """Return whether the latest request has been passed on, and its response is not written yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self.transport.is_closing()

    def unsent(self) -> int:
        """Return how many bytes of responses were written and are not with the system yet."""
        return self.transport.get_write_buffer_size()

    def end(self) -> None:
        """Close the connection once what was written is sent, unless it is already closing."""
        if not self.is_closing():
            self._abandon()
            self.transport.close()

    def end_with(self, status: int, sentence: str, headers: bytes = b"") -> None:
        """Write a plain response and close the connection, unless it is already closing."""
        if self.is_closing():
            return
        body = sentence.encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
            + headers
            + b"connection: close\r\n\r\n"
            + body
        )
        self._abandon()
        self.transport.close()

    def abort(self) -> None:
        """End the connection at once; what was not sent is lost."""
        self._abandon()
        self.transport.abort()

    def _abandon(self) -> None:
        """Have responses in progress go nowhere: a transport that is being closed must not be written to."""
        cycles = [self.cycle, *(cycle for cycle, _ in self.pipeline)]
        for cycle in cycles:
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True


class HookedServer(uvicorn.Server):
    """uvicorn's server; the subclass decides what a signal does, and when and how soon to stop.

    `hears_signals` is False for a server beside another one in the same event loop, which handles signals for both.
    """

    hears_signals = True

    def ready(self) -> None:
        """Hook: requests are accepted from now on."""

    def signalled(self, number: int) -> None:
        """Hook: SIGTERM or SIGINT was received."""

    def is_over(self) -> bool:
        """Return whether to stop; called ten times a second."""
        return False

    def is_urgent(self) -> bool:
        """Return whether to stop without waiting for requests in flight; called ten times a second while stopping."""
        return False

    def watch(self, connection: Any) -> None:
        """Hook: called four times a second for each open connection."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and the sockets, then call the hook."""
        await super().startup(sockets)
        if self.started:
            self._watching = asyncio.create_task(self._watch())
            self.ready()

    async def on_tick(self, counter: int) -> bool:
        """Stop when `is_over` says so; fail if connections are not watched any more."""
        if self._watching.done():
            self._watching.result()
        if self.is_over():
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for requests in flight, close the application.

        When it is urgent, requests in flight are cancelled, and have two seconds to respond.
        """
        stopping = asyncio.create_task(super().shutdown(sockets))
        while not stopping.done() and not self.is_urgent():
            await asyncio.wait({stopping}, timeout=_TICK_SECONDS)
        if not stopping.done():
            await self._hurry(stopping)
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stopping

    async def _hurry(self, stopping: "asyncio.Task[None]") -> None:
        """Cancel requests in flight, and stop waiting for what is not done two seconds later."""
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.wait({stopping}, timeout=_LAST_WORDS_SECONDS)
        if not stopping.done():
            self.force_exit = True
            stopping.cancel()
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for connection in list(self.server_state.connections):
                self.watch(connection)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Call the hook for a signal."""
        self.signalled(sig)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Shut down gracefully on signals; uvicorn would raise them again and change the exit code."""
        if not self.hears_signals or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
