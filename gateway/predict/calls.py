"""Calls to the model server, for all protocols."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from contract.manifest import ModelManifest
from gateway.backend.model_client import STATUS
from gateway.errors import ModelServerTimeoutError
from gateway.observability.observation import MODEL_SERVER
from gateway.predict.request_context import RequestContext


async def call_model_server(method: str, message: Any, context: RequestContext) -> Any:
    """Return the model server's response to a request message whose `model_spec` names a configured model.

    The call needs a free slot, a closed circuit breaker and time left before the deadline.

    Raises:
        ModelServerError: the call failed.
        ModelError: it has no such version.
        BusyError: it was not called.
    """
    services, deadline = context.services, context.deadline
    circuit = services.circuits.of(message.model_spec.name)
    async with services.admission.slot(deadline, context):
        with circuit.guarded(counts=deadline.own), context.stage(MODEL_SERVER):
            response = await services.client.call(method, message, deadline, context)
    if method != STATUS:
        context.version = response.model_spec.version.value
    return response


async def manifest_of(model: str, version: int, context: RequestContext) -> ModelManifest:
    """Return a version's manifest, fetched from the model server the first time.

    Fetching it needs a free slot and a closed circuit breaker, as any other call for a request.

    Raises:
        ModelError: the version is not available, or has no manifest.
        ModelServerError: the model server did not respond in time.
        BusyError: it was not called.
    """
    services, deadline = context.services, context.deadline
    known = services.versions.described(model, version)
    if known is not None:
        return known
    async with admitted(model, context):
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await services.versions.manifest(model, version)
        except TimeoutError:
            raise ModelServerTimeoutError("The model server did not return the model's manifest in time.") from None


@contextlib.asynccontextmanager
async def admitted(model: str, context: RequestContext) -> AsyncGenerator[None]:
    """Hold a slot, and let the circuit breaker count, while a call for a request runs or is waited for.

    Raises:
        UnknownModelError: no such model is configured.
        BusyError: on entering, there is no slot, or the circuit is open.
    """
    services, deadline = context.services, context.deadline
    services.versions.state(model)  # raises if there is no such model, which has no circuit breaker either
    circuit = services.circuits.of(model)
    async with services.admission.slot(deadline, context):
        with circuit.guarded(counts=deadline.own), context.stage(MODEL_SERVER):
            yield
