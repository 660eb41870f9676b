"""The HTTP server around the application: uvicorn on uvloop and httptools."""

import errno
import math
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI

from gateway.http.connection import KEEP_ALIVE_SECONDS, Connection
from gateway.http.uvicorn_internals import HookedServer
from gateway.settings import Settings

_BACKLOG = 2048
_OPERATIONS_GRACEFUL_SECONDS = 2


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
    except (UnicodeError, ValueError, TypeError) as error:  # such as `a..b` or a zero byte, which are no name
        listener.close()
        raise OSError(errno.EADDRNOTAVAIL, "that is not a host's name") from error
    return listener


class Stopping:
    """How far the gateway has got in stopping, for all its servers.

    SIGTERM first makes `/readyz` respond 503 for a while (`app.state.stopping`), so that load balancers send no more
    requests; then no connection is accepted, and requests in flight are completed. With SIGINT there is no such while.
    After a second signal requests in flight get a 503.
    """

    def __init__(self, app: FastAPI, delay_seconds: float) -> None:
        self.is_urgent = False
        self._app = app
        self._delay = delay_seconds
        self._stop_at: float | None = None

    def signalled(self, number: int) -> None:
        """Take note of SIGTERM or SIGINT."""
        if self._stop_at is not None:
            self._stop_at = time.monotonic()
            self.is_urgent = True
            return
        self._app.state.stopping = True
        self._stop_at = time.monotonic() + (self._delay if number == signal.SIGTERM else 0.0)

    def is_over(self) -> bool:
        """Return whether the delay after a signal has passed."""
        return self._stop_at is not None and time.monotonic() >= self._stop_at


class GatewayServer(HookedServer):
    """Serves one application until SIGTERM or SIGINT, or until `should_exit` is set from another thread.

    `on_ready` is called once requests are served.
    """

    lifespan: Literal["on", "off"] = "on"

    def __init__(self, app: FastAPI, settings: Settings, on_ready: Callable[[], None], **tls: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=Connection.limited_by(settings),
                ws="none",
                lifespan=self.lifespan,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=self.graceful_seconds(settings),
                **tls,
            )
        )
        self.stopping = Stopping(app, settings.shutdown_delay_seconds)
        self._on_ready = on_ready

    def graceful_seconds(self, settings: Settings) -> int:
        """Return how long requests in flight may take once no connection is accepted any more."""
        return math.ceil(settings.request_timeout_seconds) + 1

    def ready(self) -> None:
        """Report that requests are served."""
        self._on_ready()

    def signalled(self, number: int) -> None:
        """Start to stop at the first signal, and stop soon at the second."""
        self.stopping.signalled(number)

    def is_over(self) -> bool:
        """Return whether the delay after a signal has passed."""
        return self.stopping.is_over()

    def is_urgent(self) -> bool:
        """Return whether there was a second signal."""
        return self.stopping.is_urgent

    def watch(self, connection: Connection) -> None:
        """End the connection if its caller has taken too long."""
        connection.watch(time.monotonic())


class OperationsServer(GatewayServer):
    """Serves the operations port beside the first one, with the same limits, until `should_exit` is set."""

    hears_signals = False
    lifespan = "off"  # that of the first application is the only one

    def __init__(self, app: FastAPI, settings: Settings, first: GatewayServer, **tls: Any) -> None:
        super().__init__(app, settings, lambda: None, **tls)
        self.stopping = first.stopping

    def graceful_seconds(self, _: Settings) -> int:
        """Return how long a response may take once the first server has ended."""
        return _OPERATIONS_GRACEFUL_SECONDS

    def is_over(self) -> bool:
        """Return False: it serves until the first server has ended."""
        return False
