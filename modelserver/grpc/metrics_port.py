"""The HTTP port, which shows the metrics and nothing else: TensorFlow Serving's REST API is the gateway's affair."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from contract.serving_messages import MonitoringConfig
from modelserver.errors import BadSettingError
from modelserver.metrics import CONTENT_TYPE
from modelserver.text_files import read_text_message

_DEFAULT_PATH = "/monitoring/prometheus/metrics"
_SILENCE_SECONDS = 10.0
"""After which a connection that says nothing is closed."""


def metrics_path(monitoring_config_file: Path | None) -> str | None:
    """Return the path that a MonitoringConfig in text form gives the metrics; None where it does not show them.

    Raises:
        BadSettingError: the file cannot be read, or the path does not begin with a slash.
    """
    if monitoring_config_file is None:
        return None
    config = read_text_message(monitoring_config_file, MonitoringConfig, "monitoring configuration").prometheus_config
    path = str(config.path) or _DEFAULT_PATH
    if not path.startswith("/"):
        raise BadSettingError(f"The path {path!r} in {monitoring_config_file} does not begin with a slash.")
    return path if config.enable else None


@contextlib.contextmanager
def metrics_port(host: str, port: int, path: str | None, render: Callable[[], bytes]) -> Iterator[int]:
    """Answer GET `path` with what `render` returns, and anything else with 404, in threads while the context is open.

    Gives the port, which is a free one for 0.

    Raises:
        BadSettingError: the address cannot be listened on.
    """
    try:
        server = _Server((host, port), _handler(path, render))
    except OSError as error:
        raise BadSettingError(
            f"{host}:{port} cannot be listened on for metrics ({error.strerror}); choose another --rest_api_port."
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics")
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # or a scraper that keeps its connection would hold up the end

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's name, which may take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


def _handler(path: str | None, render: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    if path is None:
        elsewhere = "Metrics are not shown; --monitoring_config_file turns them on.\n"
    else:
        elsewhere = f"This port shows metrics at {path} and nothing else; models answer over gRPC.\n"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _SILENCE_SECONDS

        def do_GET(self) -> None:
            """Answer with the metrics, or with 404."""
            if path is not None and self.path.partition("?")[0] == path:
                self._answer(HTTPStatus.OK, CONTENT_TYPE, render())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", elsewhere.encode())

        def do_HEAD(self) -> None:
            """Answer as to GET, without the body."""
            self.do_GET()

        def do_POST(self) -> None:
            """Answer with 404, for the REST API would be asked so."""
            self.close_connection = True  # the body stays unread
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", elsewhere.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing: a scrape every few seconds is no news."""

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
