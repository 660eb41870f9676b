"""A plain route that leaves its template where metrics find it, as FastAPI's routes do."""

from starlette.routing import Match, Route
from starlette.types import Scope


class TemplateRoute(Route):
    """A Starlette route; `scope["route"]` becomes the route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route fits, and what it adds to the scope."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope
