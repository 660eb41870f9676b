"""The check that the ports of the settings are free, before the seconds that TensorFlow takes to start."""

import socket

from modelserver.errors import SettingError
from modelserver.settings import ModelServerSettings


def check_ports(settings: ModelServerSettings) -> None:
    """See that the gRPC port, and that of the metrics, can be listened on; what takes one later is found by the server.

    Raises:
        SettingError: one cannot; the message names its flag.
    """
    _check(settings.host, settings.port, "--port")
    if settings.rest_api_port is not None:
        _check(settings.host, settings.rest_api_port, "--rest_api_port")


def _check(host: str, port: int, flag: str) -> None:
    name = host.removeprefix("[").removesuffix("]")
    try:
        with socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((name, port))
            listener.listen()
    except OSError as error:
        raise SettingError(
            f"{host}:{port} cannot be listened on ({flag}): {error.strerror or error}; end what listens there, or give "
            f"another {flag} or --host."
        ) from error
    except (UnicodeError, ValueError, TypeError) as error:  # such as a zero byte, which no name has
        raise SettingError(f"{host!r} is not a host's name; give --host an address of this machine.") from error
