"""The application: FastAPI with as little around its routes as they need."""

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import ASGIApp


class Application(FastAPI):
    """FastAPI for plain routes, such as `gateway.http.routing.TemplateRoute`; its own kind would fail in it."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the middleware around the routes: Starlette's and what was added.

        FastAPI's has three more, for files of forms, telemetry and bodies, each another step for each request.
        """
        return Starlette.build_middleware_stack(self)
