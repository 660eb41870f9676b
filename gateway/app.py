"""Wiring: what the gateway is made of, and how it starts."""

import asyncio
import contextlib
import signal
import sys
import traceback
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi import FastAPI

from gateway.metrics import Metrics
from gateway.model_client import ModelClient, open_channel
from gateway.model_versions import ModelVersions
from gateway.protocols.exchange import BoundedBodies, CountedRequests
from gateway.protocols.images import image_routes
from gateway.protocols.operations import operation_routes
from gateway.protocols.problems import exception_handlers
from gateway.server import GatewayServer, listen
from gateway.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Return the application; nothing is opened before it is started."""
    metrics = Metrics(settings.models)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with open_channel(settings.model_server) as channel:
            client = ModelClient(channel, settings.request_timeout_seconds, metrics)
            versions = ModelVersions(client, settings.models)
            watching = asyncio.create_task(versions.watch(settings.poll_interval_seconds))
            watching.add_done_callback(_end_unless_cancelled)
            yield {"client": client, "versions": versions}
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    app = FastAPI(
        title="Graft gateway",
        lifespan=lifespan,
        exception_handlers=exception_handlers(),
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(image_routes(settings, metrics))
    app.include_router(operation_routes(metrics))
    app.add_middleware(BoundedBodies, max_bytes=settings.max_body_bytes)
    app.add_middleware(CountedRequests, metrics=metrics)  # added last, so it is the outermost
    return app


def main(settings: Settings, on_listening: Callable[[str], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; say on stdout where, and tell `on_listening` the URL.

    Returns the exit code: 2 if the address cannot be had.
    """
    try:
        listener = listen(settings)
    except OSError as error:
        print(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.", file=sys.stderr)  # noqa: T201
        return 2
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"

    def announce() -> None:
        print(f"Gateway listening on {address}", flush=True)  # noqa: T201
        if on_listening:
            on_listening(address)

    with listener:
        GatewayServer(create_app(settings), settings, announce).run(sockets=[listener])
    return 0


def _end_unless_cancelled(watching: "asyncio.Task[None]") -> None:
    """End the process when the watch failed: a gateway that sees no new versions must not live on."""
    if not watching.cancelled() and (error := watching.exception()):
        traceback.print_exception(error)
        signal.raise_signal(signal.SIGTERM)
