"""How the gateway starts as a program, in one process or several."""

import sys
from collections.abc import Callable

from contract.errors import ContractError
from gateway.access import check_access
from gateway.app import create_app
from gateway.errors import BadSettingError
from gateway.server import GatewayServer, listen
from gateway.settings import Settings
from gateway.tls import server_tls

_BAD_SETTING = 2


def main(settings: Settings, on_listening: Callable[[str], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; say on stdout where, and tell `on_listening` the URL.

    Returns the exit code: 2 if the settings cannot be used or the address cannot be had.
    """
    try:
        check_access(settings)
        tls = server_tls(settings)
        app = create_app(settings)
    except (BadSettingError, ContractError) as error:
        return _complain(str(error))
    try:
        listener = listen(settings)
    except OSError as error:
        return _complain(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{'https' if tls else 'http'}://{host}:{listener.getsockname()[1]}"

    def announce() -> None:
        print(f"Gateway listening on {address}", flush=True)  # noqa: T201
        if on_listening:
            on_listening(address)

    with listener:
        GatewayServer(app, settings, announce, **tls).run(sockets=[listener])
    return 0


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201
    return _BAD_SETTING
