"""Routers, and two kinds of route: FastAPI's, and a plain one that passes the request to its endpoint unparsed.

Each route says what its callers must be permitted to do, and checks it once it has matched: no path is compared with
another for that. A route that says nothing needs the permission to predict.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from gateway.predict.request_context import RequestContext, context_of


async def _context(request: Request) -> RequestContext:
    return context_of(request.scope)


Needed = Literal["predict", "operate"] | None
"""What a route's callers must be permitted to do; None is open to all."""

_AUTHORIZE = "authorize"


def set_authorize(scope: Scope, authorize: Callable[[Needed], Awaitable[None]]) -> None:
    """Have the route that matches an ASGI scope's request call `authorize` with what it needs, before anything else."""
    scope["state"][_AUTHORIZE] = authorize


async def authorize(scope: Scope, needed: Needed) -> None:
    """Check that the request's caller is permitted to do what is needed; any caller is if there are no credentials.

    Raises:
        AccessError: it is not.
    """
    check: Callable[[Needed], Awaitable[None]] | None = scope["state"].get(_AUTHORIZE)
    if check is not None:
        await check(needed)


Context = Annotated[RequestContext, Depends(_context)]
"""The type by which an endpoint gets its request's context from FastAPI."""

# these only describe that a route may need a key; `gateway.security.access` checks it
_ACCESS = (
    Security(
        APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", description="A key of `graft keys`.", auto_error=False)
    ),
    Security(
        HTTPBearer(scheme_name="Bearer", description="The same key, or a JWT, where they are set up.", auto_error=False)
    ),
)


class GatewayRoute(APIRoute):
    """FastAPI's route; with GET it also allows HEAD, as Starlette's route does, without describing it."""

    needed: Needed = "predict"
    label: str | None = None
    """Its name in metrics and logs, if that is not its path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route matches, and what it adds to the scope."""
        match, child_scope = super().matches(scope)
        if match is Match.PARTIAL and scope["method"] in self._allowed():
            match = Match.FULL
        return match, child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; the server omits the body of a response to HEAD."""
        await authorize(scope, self.needed)
        self._check_method(scope)
        is_head = scope["method"] == "HEAD"
        await super().handle({**scope, "method": "GET"} if is_head else scope, receive, send)

    def _check_method(self, scope: Scope) -> None:
        if scope["method"] not in (self.methods or ()) and scope["method"] not in self._allowed():
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self._allowed()))})

    def _allowed(self) -> set[str]:
        methods = self.methods or set()
        return {*methods, "HEAD"} if "GET" in methods else methods


class PlainRoute(GatewayRoute):
    """A route whose endpoint takes the request and returns a response, as Starlette's route does.

    Its `dependencies` serve the OpenAPI description only: the endpoint parses parameters and body itself, because
    FastAPI's parsing costs too much for predict routes (docs/decisions/0015-the-gateways-routes.md). Errors are left to
    the application's handlers; FastAPI would also catch them here, at a cost for each request.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        await authorize(scope, self.needed)
        self._check_method(scope)
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


class OpenRoute(GatewayRoute):
    """A route for any caller."""

    needed = None


class OperateRoute(GatewayRoute):
    """A route for callers that may operate the gateway."""

    needed = "operate"


class OpenPlainRoute(PlainRoute):
    """A plain route for any caller."""

    needed = None


class OpenMount(Mount):
    """An application mounted for any caller."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        await authorize(scope, None)
        await super().handle(scope, receive, send)


def new_router(tag: str, *, route_class: type[GatewayRoute] = GatewayRoute, **settings: Any) -> APIRouter:
    """Return a router whose operations are named like their functions; `settings` are passed to APIRouter.

    Its routes are described as needing a key, unless those of `route_class` do not.
    """
    return APIRouter(
        tags=[tag],
        route_class=route_class,
        dependencies=[*settings.pop("dependencies", ()), *(() if route_class.needed is None else _ACCESS)],
        generate_unique_id_function=lambda route: route.name,
        **settings,
    )
