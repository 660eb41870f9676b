"""The gateway's entry point, in one process or several."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

from contract.errors import ContractError
from contract.process.freed_memory import reuse_freed_memory
from contract.process.interpreter_turns import take_short_turns
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


def main(settings: Settings, on_listening: Callable[[str], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; print the URL to stdout and pass it to `on_listening`.

    Returns the exit code: 2 if the settings are invalid or an address is not available.
    """
    reuse_freed_memory()
    take_short_turns()
    with process_logs(settings):
        try:
            check_access(settings)
            check_tracing(settings)
            scheme = "https" if server_tls(settings) else "http"
            with ExitStack() as stack:
                sockets = _listen(settings, stack)
                return _serve(settings, sockets, f"{scheme}://{_shown(settings.host)}", on_listening)
        except (BadSettingError, ContractError) as error:
            print(announcement(settings, str(error), "error"), file=sys.stderr)  # noqa: T201
            return _BAD_SETTING


def _announce(settings: Settings, text: str) -> None:
    sys.stdout.write(
        f"{announcement(settings, text)}\n"
    )  # in one: unbuffered, a log line could come between the text and its end
    sys.stdout.flush()


def _serve(settings: Settings, sockets: Sockets, base: str, on_listening: Callable[[str], None] | None) -> int:
    address = f"{base}:{sockets.first.getsockname()[1]}"

    def announce() -> None:
        _announce(settings, f"Gateway listening on {address}")
        if sockets.second is not None:
            _announce(settings, f"Metrics and health on {base}:{sockets.second.getsockname()[1]}")
        if on_listening:
            on_listening(address)

    if settings.workers > 1:
        return serve_with_workers(settings, sockets, announce)
    serve(settings, sockets, announce)
    return 0


def _listen(settings: Settings, stack: ExitStack) -> Sockets:
    """Return the open sockets; the stack closes them.

    Raises:
        BadSettingError: an address is not available.
    """
    ports = [settings.port] if settings.operations_port is None else [settings.port, settings.operations_port]
    opened = []
    for port in ports:
        try:
            opened.append(stack.enter_context(listen(settings.host, port)))
        except OSError as error:
            raise BadSettingError(f"Cannot listen on {settings.host}:{port}: {error.strerror}.") from error
    return Sockets(*opened)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
