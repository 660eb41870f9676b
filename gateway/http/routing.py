"""A plain route that leaves its template where metrics find it, as FastAPI's routes do."""

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

_Endpoint = Callable[[Request], Awaitable[Response]]


class TemplateRoute(Route):
    """A Starlette route; `scope["route"]` becomes the route.

    Exceptions of the endpoint are left to the application, which answers all of them; Starlette would look at them here
    too, at a cost for each request.
    """

    def __init__(
        self,
        path: str,
        endpoint: _Endpoint,
        *,
        methods: Collection[str] | None = None,
        include_in_schema: bool = True,
    ) -> None:
        super().__init__(path, endpoint, methods=methods, include_in_schema=include_in_schema)
        self.app = _answered_by(endpoint)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route fits, and what it adds to the scope."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


def _answered_by(endpoint: _Endpoint) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    return answer
