"""One process of the gateway, on sockets that are already open."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvloop

from contract.process.interpreter_turns import leave_to_the_end
from gateway.app import create_app, create_operations_app
from gateway.backend.model_versions import ModelVersions
from gateway.http.server import GatewayServer, OperationsServer
from gateway.security.tls import server_tls
from gateway.settings import Settings


@dataclass(frozen=True)
class Sockets:
    """The sockets the gateway listens on; `second` is the operations port, if it is set."""

    first: socket.socket
    second: socket.socket | None = None

    def close(self) -> None:
        """Close this process's own descriptors of both."""
        self.first.close()
        if self.second is not None:
            self.second.close()


def serve(settings: Settings, sockets: Sockets, on_ready: Callable[[ModelVersions], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is called with the models' versions once requests are served.

    Raises:
        ContractError: a file of keys or certificates cannot be used.
    """
    app = create_app(settings)
    tls: dict[str, Any] = {**server_tls(settings)}
    server = GatewayServer(app, settings, lambda: on_ready(app.state.services.versions), **tls)
    leave_to_the_end()
    if sockets.second is None:
        server.run(sockets=[sockets.first])
        return
    operations = OperationsServer(create_operations_app(app, settings), settings, server, **tls)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_both(server, operations, sockets))


async def _serve_both(server: GatewayServer, second: OperationsServer, sockets: Sockets) -> None:
    assert sockets.second is not None
    beside = asyncio.create_task(second.serve([sockets.second]))
    try:
        await server.serve([sockets.first])
    finally:
        second.should_exit = True
        await beside
