"""The HTTP server around the application: uvicorn on uvloop and httptools."""

import contextlib
import math
import signal
import socket
import threading
from collections.abc import Callable, Generator

import uvicorn
from fastapi import FastAPI

from gateway.settings import Settings

_BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the host and port of `settings`; port 0 becomes a free one.

    Raises:
        OSError: the address cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class GatewayServer(uvicorn.Server):
    """Serves one application until SIGTERM or SIGINT, or until `should_exit` is set from another thread.

    Requests that have begun are answered first. `on_ready` is called once requests are answered.
    """

    def __init__(self, app: FastAPI, settings: Settings, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application and the sockets, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

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
