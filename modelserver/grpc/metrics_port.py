"""The HTTP port that shows the metrics and nothing else; TensorFlow Serving's REST API is offered by the gateway."""

import contextlib
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from contract.serving_messages import MonitoringConfig
from modelserver.errors import SettingError
from modelserver.text_files import read_text_message

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

_DEFAULT_PATH = "/monitoring/prometheus/metrics"
_REST_PATH = "/v1/"
_NO_REST = "TensorFlow Serving's REST API is that of the gateway (graft gateway); this port has metrics alone.\n"
_IDLE_SECONDS = 10.0
"""After which a connection that sends nothing is closed."""
_CONNECTION_SECONDS = 30.0
"""After which it is closed whatever it does, for one byte now and then is not idle."""
_MOST_CONNECTIONS = 8
_PAUSE_SECONDS = 0.1


def metrics_path(monitoring_config_file: Path | None) -> str | None:
    """Return the path of the metrics by a MonitoringConfig in text form; None where it does not enable them.

    Raises:
        SettingError: the file cannot be read, or the path does not begin with a slash.
    """
    if monitoring_config_file is None:
        return None
    config = read_text_message(monitoring_config_file, MonitoringConfig, "monitoring configuration").prometheus_config
    path = str(config.path) or _DEFAULT_PATH
    if not path.startswith("/"):
        raise SettingError(f"The path {path!r} in {monitoring_config_file} does not begin with a slash.")
    return path if config.enable else None


@contextlib.contextmanager
def metrics_port(host: str, port: int, path: str | None, page: "WSGIApplication") -> Iterator[int]:
    """Serve `page` at `path`, and 404 everywhere else, in threads while the context is open.

    Yields the port, which is a free one for 0.

    Raises:
        SettingError: the address cannot be listened on.
    """
    try:
        server = make_server(host, port, _only_at(path, page), _Server, _Handler)
    except OSError as error:
        raise SettingError(
            f"{host}:{port} cannot be listened on for metrics ({error.strerror}); choose another --rest_api_port."
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _only_at(path: str | None, page: "WSGIApplication") -> "WSGIApplication":
    if path is None:
        elsewhere = "Metrics are not shown; --monitoring_config_file turns them on.\n"
    else:
        elsewhere = f"This port shows metrics at {path} and nothing else; models are served over gRPC.\n"

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == path:
            return page(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [(_NO_REST if environ["PATH_INFO"].startswith(_REST_PATH) else elsewhere).encode()]

    return application


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True  # or a client that keeps its connection open would hold up the end
    request_queue_size = 16

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(*arguments)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; without a descriptor for it, wait a moment instead of trying without a pause."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_PAUSE_SECONDS)
            raise

    def verify_request(self, request: object, client_address: object) -> bool:
        """Take the connection where there are not too many; else it is closed."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, for as long as one may take."""
        end = threading.Timer(_CONNECTION_SECONDS, _cut_off, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log in one line that a connection broke; errors of the application are handled before."""
        logger.debug("metrics: the connection from %s broke: %r", client_address, sys.exception())


def _cut_off(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    timeout = _IDLE_SECONDS

    def log_message(self, *_: object) -> None:
        """Log nothing: scrapes come every few seconds."""
