"""Routes for operators: liveness, readiness and metrics."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from gateway.errors import NotReadyError
from gateway.http.error_responses import ACCESS, problem_responses
from gateway.http.routing import Context, OpenRoute, OperateRoute, new_router
from gateway.observability.metrics import Metrics

_TAG = "Operations"


class Alive(BaseModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Every configured model is available."""

    status: Literal["ready"] = "ready"


health_router = new_router(_TAG, route_class=OpenRoute)
"""`GET /livez` and `GET /readyz`, which respond under any load."""


@health_router.get("/livez", summary="The process is alive", response_description="It is alive")
async def is_alive() -> Alive:
    """Report that the process is alive."""
    return Alive()


@health_router.get(
    "/readyz",
    summary="Every model is available",
    response_description="All models are available",
    responses=problem_responses(503),
)
async def is_ready(request: Request, context: Context) -> Ready:
    """Report whether every configured model is available: 503 if one is not, or if the gateway is stopping."""
    if request.app.state.stopping:
        raise NotReadyError("The gateway is stopping.")
    problems = [f"{state.name}: {state.problem}" for state in context.services.versions.states if state.problem]
    if problems:
        raise NotReadyError(" ".join(problems))
    return Ready()


def metrics_router(metrics: Metrics) -> APIRouter:
    """Return the router of `GET /metrics`."""
    router = new_router(_TAG, route_class=OperateRoute, responses=problem_responses(*ACCESS, 503))

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_description="In Prometheus's text format, or in OpenMetrics if that is accepted",
        response_class=Response,
        responses={
            200: {
                "content": {
                    "text/plain": {"schema": {"type": "string"}},
                    "application/openmetrics-text": {"schema": {"type": "string"}},
                }
            }
        },
    )
    async def show_metrics(request: Request) -> Response:
        accept = ",".join(request.headers.getlist("accept"))
        text, media_type = await run_in_threadpool(metrics.render, accept)
        return Response(text, headers={"Content-Type": media_type, "Vary": "Accept"})

    return router
