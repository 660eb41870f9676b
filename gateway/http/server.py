"""The HTTP server around the application: uvicorn on uvloop and httptools."""

import asyncio
import contextlib
import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from gateway.http.connection import Connection
from gateway.settings import Settings

_BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_KEEP_ALIVE_SECONDS = 75  # longer than the minute after which common load balancers close, so that they are the first


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to a host and port; port 0 becomes a free one.

    Raises:
        OSError: the address cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class SecondServer(uvicorn.Server):
    """Serves another application beside the first, in its event loop; the first hears the signals and ends both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


class GatewayServer(uvicorn.Server):
    """Serves one application until SIGTERM or SIGINT, or until `should_exit` is set from another thread.

    SIGTERM first makes `/readyz` refuse for a while (`app.state.stopping`), so that a balancer sends no more; then
    nothing is accepted, and requests that have begun are answered. A second signal ends at once.
    `on_ready` is called once requests are answered.
    """

    def __init__(self, app: FastAPI, settings: Settings, on_ready: Callable[[], None], **tls: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=Connection.limited_by(settings),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
                **tls,
            )
        )
        self._app = app
        self._delay = settings.shutdown_delay_seconds
        self._stop_at: float | None = None
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application and the sockets, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop at the first signal, and end at once at the second."""
        if self._stop_at is not None:
            self.should_exit = self.force_exit = True
            return
        self._app.state.stopping = True
        self._stop_at = time.monotonic() + (self._delay if sig == signal.SIGTERM else 0.0)

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time has come; called by uvicorn ten times a second."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for what is in flight, close the application; without the waits when forced."""
        await super().shutdown(sockets)
        if self.force_exit:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

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
