"""What operators look at: whether the gateway lives, whether it is ready, what it counted."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from gateway.errors import NotReadyError
from gateway.http.error_responses import ACCESS, problem_responses
from gateway.http.routing import Context, new_router
from gateway.observability.metrics import Metrics

_TAG = "Operations"


class Alive(BaseModel):
    """The process lives."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Every configured model can be used."""

    status: Literal["ready"] = "ready"


health_router = new_router(_TAG, open_to_all=True)
"""`GET /livez` and `GET /readyz`, which respond whatever the load."""


@health_router.get("/livez", summary="The process lives", response_description="It lives")
async def is_alive() -> Alive:
    """Say that the process lives."""
    return Alive()


@health_router.get(
    "/readyz",
    summary="Every model can be used",
    response_description="All of them can",
    responses=problem_responses(503),
)
async def is_ready(request: Request, context: Context) -> Ready:
    """Say whether every configured model can be used: 503 where one cannot, or the gateway is stopping."""
    if request.app.state.stopping:
        raise NotReadyError("The gateway is stopping.")
    problems = [f"{state.name}: {state.problem}" for state in context.services.versions.states if state.problem]
    if problems:
        raise NotReadyError(" ".join(problems))
    return Ready()


def metrics_router(metrics: Metrics) -> APIRouter:
    """Return the router of `GET /metrics`."""
    router = new_router(_TAG, responses=problem_responses(*ACCESS, 503))

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_description="In Prometheus's format, or in OpenMetrics' where it is accepted",
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
