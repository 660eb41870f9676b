"""What those who run the gateway ask it: whether it lives, whether it is ready, what it counted."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import NotReadyError
from gateway.http.routing import TemplateRoute
from gateway.observability.metrics import Metrics
from gateway.predict.services import Services


def health_routes() -> list[TemplateRoute]:
    """Return `GET /livez` and `GET /readyz`; they are answered whatever the load."""
    return [TemplateRoute("/livez", is_alive), TemplateRoute("/readyz", is_ready)]


def metrics_routes(metrics: Metrics) -> list[TemplateRoute]:
    """Return `GET /metrics`."""

    async def show_metrics(request: Request) -> Response:
        accept = ",".join(request.headers.getlist("accept"))
        text, media_type = await run_in_threadpool(metrics.render, accept)
        return Response(text, headers={"Content-Type": media_type, "Vary": "Accept"})

    return [TemplateRoute("/metrics", show_metrics)]


async def is_alive(_: Request) -> Response:
    """Answer that the process lives."""
    return JSONResponse({"status": "alive"})


async def is_ready(request: Request) -> Response:
    """Answer whether every wanted model can be asked.

    Raises:
        NotReadyError: one cannot, or the gateway is stopping.
    """
    if request.app.state.stopping:
        raise NotReadyError("The gateway is stopping.")
    services: Services = request.app.state.services
    problems = [f"{state.name}: {state.problem}" for state in services.versions.states if state.problem]
    if problems:
        raise NotReadyError(" ".join(problems))
    return JSONResponse({"status": "ready"})
