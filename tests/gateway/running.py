"""A gateway that really listens, with whatever settings, for tests that need no model server behind it."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from gateway.app import create_app
from gateway.http.server import GatewayServer, listen
from gateway.security.tls import server_tls
from gateway.settings import Settings


def settings_for(**given: Any) -> Settings:
    """Return settings for a gateway on a free port, before a model server that is not there."""
    return Settings(**{"models": ("flowers",), "port": 0, "model_server": "127.0.0.1:1", **given})


@contextmanager
def running_gateway(verify: ssl.SSLContext | bool = False, /, **given: Any) -> Iterator[httpx.Client]:
    """Run a gateway; yield a client of it, which trusts whom `verify` trusts if the gateway speaks TLS."""
    settings, ready = settings_for(**given), threading.Event()
    tls = server_tls(settings)
    with listen(settings.host, settings.port) as listener:
        server = GatewayServer(create_app(settings), settings, ready.set, **tls)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(10)
            url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=url, verify=verify, trust_env=False, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
