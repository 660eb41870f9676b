"""The context of one HTTP request: one typed object, passed as an argument."""

from collections.abc import MutableMapping
from typing import Any

from gateway.deadline import Deadline
from gateway.observability.observation import Observation, ProtocolName
from gateway.predict.services import Services

_KEY = "context"


class RequestContext(Observation):
    """What a route needs to respond, and what is observed about the request.

    Lower packages see only its deadline, and that it is an `Observation`. `deadline` is set again once the body has
    arrived. `target` is the target of the request line, undecoded, with query and fragment.
    """

    __slots__ = ("deadline", "services", "target")

    def __init__(
        self, request_id: str, protocol: ProtocolName, services: Services, deadline: Deadline, target: bytes
    ) -> None:
        super().__init__(request_id, protocol, services.metrics.requests)
        self.services = services
        self.deadline = deadline
        self.target = target

    def put_into(self, scope: MutableMapping[str, Any]) -> None:
        """Make this the context of an ASGI scope's request."""
        scope.setdefault("state", {})[_KEY] = self


def context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """Return the context of an ASGI scope's request."""
    context: RequestContext = scope["state"][_KEY]
    return context
