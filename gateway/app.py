"""Application wiring: creates the gateway's parts and starts them."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncGenerator, Iterable

from fastapi import APIRouter, FastAPI
from starlette.types import Lifespan

from gateway.admission.adaptive_limit import AdaptiveLimit
from gateway.admission.circuit import Circuits
from gateway.admission.concurrency import QUEUE_FULL, QUEUE_TIMEOUT, Admission, FixedLimit
from gateway.admission.held_bytes import TOO_MANY_BYTES, ByteBudget
from gateway.backend.attempts import count_attempts
from gateway.backend.channel import open_channel
from gateway.backend.model_client import ModelClient
from gateway.backend.model_metrics import ModelMetrics
from gateway.backend.model_versions import ModelVersions
from gateway.documentation import TITLE, add_documentation
from gateway.drift.metrics import DriftCollector
from gateway.drift.monitor import DriftMonitor
from gateway.http.error_table import failure_codes, rejection_codes
from gateway.http.middleware import RequestMiddleware
from gateway.http.operations import health_router, metrics_router
from gateway.http.problems import exception_handlers
from gateway.http.protocol_of_path import protocol_of
from gateway.native.images import predict_router
from gateway.native.model_pages import models_router
from gateway.observability.logs import RequestLog
from gateway.observability.metric_labels import metrics_folder
from gateway.observability.metrics import Metrics
from gateway.observability.observers import Observers, route_label
from gateway.observability.request_metrics import PredictRoute
from gateway.observability.tracing_switch import open_tracing
from gateway.open_inference.routes import open_inference_router, server_health_router
from gateway.page.routes import page_routes
from gateway.predict.model_signatures import ModelSignatures
from gateway.predict.services import Services
from gateway.security.access import install_access
from gateway.security.credential_metrics import CredentialMetrics
from gateway.security.tls import certificate_ends, channel_credentials
from gateway.settings import Settings
from gateway.tensorflow.routes import tensorflow_router

_PREDICTS = ("/predict", "/infer", "/{target:path}")
"""With what the labels of routes that predict end, as in deploy/prometheus/rules."""

_logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it opens nothing until it is started.

    Raises:
        ContractError: a file of keys or certificates cannot be used.
        BadSettingError: tracing is on but not possible.
    """
    metrics = Metrics(settings.models)
    tracing = open_tracing(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with _running_services(settings, metrics) as services:
            app.state.services = services
            yield
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = _application(lifespan)
    app.state.stopping = False
    app.state.metrics = metrics
    _add_routes(app, _routers(settings, metrics))
    _begin_at_zero(metrics, app)
    add_documentation(app, settings.models)
    if settings.page:
        app.router.routes.extend(page_routes())
    keyring = install_access(app, settings)
    metrics.collect_at_scrape(CredentialMetrics(certificate_ends(settings), keyring))
    app.state.observers = Observers(metrics.requests, RequestLog(settings), tracing)
    # added last, so it is the outermost
    app.add_middleware(RequestMiddleware, settings=settings, observers=app.state.observers)
    return app


def create_operations_app(app: FastAPI, settings: Settings) -> FastAPI:
    """Return the application for the second port: metrics and health of `app`, with the same access rules."""
    operations = _application()
    operations.state = app.state
    _add_routes(operations, (health_router, metrics_router(app.state.metrics)))
    install_access(operations, settings)
    operations.add_middleware(RequestMiddleware, settings=settings, observers=app.state.observers)
    return operations


def _application(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Return FastAPI without its own documentation, tracing, metrics and logs; the gateway brings these."""
    return FastAPI(
        title=TITLE,
        lifespan=lifespan,
        exception_handlers=exception_handlers(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )


def _routers(settings: Settings, metrics: Metrics) -> list[APIRouter]:
    """Return the routers of all protocols; the most used come first, as they are tried in order."""
    signatures = ModelSignatures()
    routers = [predict_router, open_inference_router(signatures), health_router, server_health_router, models_router]
    if settings.operations_port is None:
        routers.append(metrics_router(metrics))
    return [*routers, tensorflow_router(signatures)]  # after all others under /v1/models/


def _add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Add the routers' routes directly, without `include_router`.

    `include_router` rebuilds each route at the first request that reaches its router, which costs that request a
    quarter of a second, and matches it twice for every request: docs/decisions/0015-the-gateways-routes.md.
    """
    for router in routers:
        app.router.routes.extend(router.routes)


def _begin_at_zero(metrics: Metrics, app: FastAPI) -> None:
    """Create the series that the objectives and alerts count with, for every route that predicts."""
    labels = {route_label(route) for route in app.router.routes}
    routes = [PredictRoute(label, protocol_of("POST", label)) for label in labels if label.endswith(_PREDICTS)]
    metrics.requests.begin_at_zero(routes, failure_codes(), rejection_codes())
    metrics.backend.begin_at_zero((QUEUE_FULL, QUEUE_TIMEOUT, TOO_MANY_BYTES))


@contextlib.asynccontextmanager
async def _running_services(settings: Settings, metrics: Metrics) -> AsyncGenerator[Services]:
    async with open_channel(settings, channel_credentials(settings)) as channel:
        attempts = asyncio.create_task(
            count_attempts(settings.model_server, settings.poll_interval_seconds, metrics.backend)
        )
        attempts.add_done_callback(_end_unless_cancelled)
        client = ModelClient(channel, settings.request_timeout_seconds, metrics)
        versions = ModelVersions(client, settings.models)
        metrics.collect_at_scrape(ModelMetrics(versions))
        watching = asyncio.create_task(versions.watch(settings.poll_interval_seconds))
        watching.add_done_callback(_end_unless_cancelled)
        drift = DriftMonitor(settings, versions, metrics_folder())
        metrics.collect_at_scrape(DriftCollector(drift))
        sharing = asyncio.create_task(drift.share())
        sharing.add_done_callback(_end_unless_cancelled)
        most, target = settings.max_in_flight, settings.latency_objective_seconds / 3
        limit = AdaptiveLimit(most, target) if settings.adaptive_limit else FixedLimit(most)
        yield Services(
            settings=settings,
            client=client,
            versions=versions,
            admission=Admission(limit, settings.max_queued, settings.queue_timeout_seconds, metrics),
            held_bytes=ByteBudget(
                settings.max_held_bytes, settings.max_queued, settings.request_timeout_seconds, metrics
            ),
            circuits=Circuits(settings.models, settings.circuit_failures, settings.circuit_open_seconds, metrics),
            metrics=metrics,
            drift=drift,
        )
        for task in (watching, sharing, attempts):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _end_unless_cancelled(watching: "asyncio.Task[None]") -> None:
    """Stop the process when a background task failed: a gateway that sees no new versions must not keep running."""
    if not watching.cancelled() and (error := watching.exception()):
        _logger.critical("A background task failed; the gateway stops.", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
