"""The gateway's entry point, in one process or several."""

import errno
import functools
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from contract.errors import ContractError
from contract.process.freed_memory import reuse_freed_memory
from contract.process.interpreter_turns import take_short_turns
from gateway.backend.model_versions import ModelVersions
from gateway.errors import BadSettingError
from gateway.http.server import listen
from gateway.observability.process_logs import announcement, process_logs
from gateway.observability.tracing_switch import check_tracing
from gateway.security.access import check_access
from gateway.security.tls import server_tls
from gateway.settings import Settings
from gateway.worker import Sockets, serve
from gateway.workers import serve_with_workers

_BAD_SETTING = 2


@dataclass(frozen=True)
class Listening:
    """Where a gateway serves requests: its URL, and that of the operations port if it has one.

    `versions` are the models as this process sees them; None where several workers serve.
    """

    url: str
    operations_url: str | None = None
    versions: ModelVersions | None = None


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and print the URL to stdout.

    Returns the exit code: 2 if the settings are invalid or an address is not available.
    """
    prepare_process()
    with process_logs(settings):
        try:
            check_settings(settings)
            with opened(settings) as sockets:
                return serve_on(sockets, settings, functools.partial(_announce, settings))
        except (BadSettingError, ContractError) as error:
            print(announcement(settings, str(error), "error"), file=sys.stderr)  # noqa: T201
            return _BAD_SETTING


def prepare_process() -> None:
    """Let this process keep and share memory and the interpreter as a gateway wants it."""
    reuse_freed_memory()
    take_short_turns()


def check_settings(settings: Settings) -> None:
    """Read whatever the settings name.

    Raises:
        BadSettingError: they do not fit together.
        ContractError: a file of keys or certificates cannot be used.
    """
    check_access(settings)
    check_tracing(settings)
    server_tls(settings)


@contextmanager
def opened(settings: Settings) -> Iterator[Sockets]:
    """Listen on the settings' ports while the context is open.

    Raises:
        BadSettingError: an address is not available.
    """
    with ExitStack() as stack:
        first = stack.enter_context(_open(settings.host, settings.port, "port"))
        if settings.operations_port is None:
            yield Sockets(first)
            return
        yield Sockets(first, stack.enter_context(_open(settings.host, settings.operations_port, "operations_port")))


def serve_on(sockets: Sockets, settings: Settings, on_listening: Callable[[Listening], None]) -> int:
    """Serve on open sockets until SIGTERM or SIGINT; return the exit code. `on_listening` is called when it does.

    Raises:
        ContractError: a file of keys or certificates cannot be used.
    """
    base = f"{'https' if server_tls(settings) else 'http'}://{_shown(settings.host)}"
    url, operations_url = (
        f"{base}:{each.getsockname()[1]}" if each else None for each in (sockets.first, sockets.second)
    )
    assert url is not None

    def listening(versions: ModelVersions | None = None) -> None:
        on_listening(Listening(url, operations_url, versions))

    if settings.workers > 1:
        return serve_with_workers(settings, sockets, listening)
    serve(settings, sockets, listening)
    return 0


def _announce(settings: Settings, listening: Listening) -> None:
    _say(settings, f"Gateway listening on {listening.url}")
    if listening.operations_url is not None:
        _say(settings, f"Metrics and health on {listening.operations_url}")


def _say(settings: Settings, text: str) -> None:
    text = f"{announcement(settings, text)}\n"
    sys.stdout.write(text)  # in one: unbuffered, a log line could come between the text and its end
    sys.stdout.flush()


def _open(host: str, port: int, setting: str) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise BadSettingError(_not_available(host, port, setting, error)) from error


def _not_available(host: str, port: int, setting: str, error: OSError) -> str:
    what = f"Cannot listen on {_shown(host)}:{port} ({setting}): {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        return f"{what}; end what listens there, or give another {setting}."
    if error.errno == errno.EACCES:
        return f"{what}; ports below 1024 are the system's: give another {setting}."
    return f"{what}; host has to be an address or name of this machine, such as 127.0.0.1 or 0.0.0.0."


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
