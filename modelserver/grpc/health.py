"""The gRPC health service: whether requests can be served."""

import asyncio
import contextlib
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from contract.serving_messages import MODEL_SERVICE, PREDICTION_SERVICE
from modelserver.versions.conditions import Changes
from modelserver.versions.served_models import ServedModels

HEALTH_SERVICE: str = health.SERVICE_NAME

_WHOLE_SERVER = ""
_FAREWELL_SECONDS = 1.0
_Status = health_pb2.HealthCheckResponse


class Health:
    """SERVING once every model has had an AVAILABLE version, until the server drains.

    TensorFlow Serving opens its port only then. Later changes leave it SERVING, as there: adding a model by a reload
    should not take the others out of service. ModelService is SERVING from the start.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._servicer = _Servicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def follow(self, models: ServedModels) -> None:
        """Keep the status until every configured model is served; then it stays SERVING."""
        await self._servicer.set(MODEL_SERVICE, _Status.SERVING)
        await self._set(_Status.NOT_SERVING)
        await models.changes.until(lambda: not models.unserved())
        await self._set(_Status.SERVING)

    async def drain(self) -> None:
        """Be NOT_SERVING from now on."""
        await self._servicer.end_watches()
        await self._servicer.enter_graceful_shutdown()

    async def _set(self, status: Any) -> None:
        for service in (_WHOLE_SERVER, PREDICTION_SERVICE):
            await self._servicer.set(service, status)


class _Servicer(health.aio.HealthServicer):  # type: ignore[name-defined, misc]  # made at run time
    """The library's, but watches end when the server drains: otherwise it would wait for their clients."""

    def __init__(self) -> None:
        super().__init__()
        self._ending = asyncio.Event()
        self._open = 0
        self._changes = Changes()

    async def end_watches(self) -> None:
        """End all watches; return once their clients know."""
        self._ending.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._changes.until(lambda: self._open == 0)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - the name of the method on the wire
        """Stream the status of a service until the server drains."""
        self._open += 1
        try:
            await self._watch(request, context)
        finally:
            self._open -= 1
            self._changes.note()

    async def _watch(self, request: Any, context: Any) -> None:
        tasks = {asyncio.create_task(super().Watch(request, context)), asyncio.create_task(self._ending.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks)
        await context.write(_Status(status=_Status.NOT_SERVING))
