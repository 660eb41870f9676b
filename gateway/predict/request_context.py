"""One HTTP request on its way through the gateway: one typed object, handed on as an argument."""

from collections.abc import MutableMapping
from typing import Any

from gateway.deadline import Deadline
from gateway.observability.observation import Observation, ProtocolName
from gateway.predict.services import Services

_KEY = "context"


class RequestContext(Observation):
    """What a route needs to respond, and what is noted of the request meanwhile.

    Rooms below this one see no more of it than they need: its deadline, and that it is an `Observation`. `deadline` is
    set anew once the body is there. `target` is the target of the request line as it was sent: path, `?` and `#`; it is
    empty on the second port, whose server does not keep it.
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
    """Return the context of an ASGI scope's request: the one way to find it."""
    context: RequestContext = scope["state"][_KEY]
    return context
