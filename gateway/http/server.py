"""The HTTP server around the application: uvicorn on uvloop and httptools."""

import math
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from gateway.http.connection import Connection
from gateway.http.uvicorn_internals import HookedServer
from gateway.settings import Settings

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75  # longer than the minute of common load balancers, so that they close first


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host and port; port 0 takes a free one.

    Raises:
        OSError: the address is not available.
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


class GatewayServer(HookedServer):
    """Serves one application until SIGTERM or SIGINT, or until `should_exit` is set from another thread.

    SIGTERM first makes `/readyz` respond 503 for a while (`app.state.stopping`), so that load balancers send no more
    requests; then no connection is accepted, and requests in flight are completed. A second signal stops at once.
    `on_ready` is called once requests are served.
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

    def ready(self) -> None:
        """Report that requests are served."""
        self._on_ready()

    def signalled(self, number: int) -> None:
        """Start to stop at the first signal, and stop at once at the second."""
        if self._stop_at is not None:
            self.should_exit = self.force_exit = True
            return
        self._app.state.stopping = True
        self._stop_at = time.monotonic() + (self._delay if number == signal.SIGTERM else 0.0)

    def is_over(self) -> bool:
        """Return whether the delay after a signal has passed."""
        return self._stop_at is not None and time.monotonic() >= self._stop_at
