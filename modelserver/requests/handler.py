"""From a request to its response, in parts that several requests can share a run of the graph between."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.cancellation import Tokens
from modelserver.model.version import Model


class RequestHandler(ABC):
    """One kind of request: reads it into a call of the graph, and makes the response of the call's outputs."""

    @abstractmethod
    def read(self, model: Model, request: Any) -> GraphCall:
        """Return the call of the graph that a request needs.

        Raises:
            ServingError: the request does not fit the model.
        """

    @abstractmethod
    def respond(self, call: GraphCall, outputs: GraphOutputs) -> Any:
        """Return the response that the outputs of `read`'s call make, without name and version of the model.

        Raises:
            ServingError: the outputs do not fit into a response.
        """

    @abstractmethod
    def check_rows(self, model: Model, request: Any, most: int) -> None:
        """Refuse a request of more than `most` rows, before anything is made of its size.

        Raises:
            BadInputError: it has more, or fewer values than its size would need.
        """

    def handle(self, model: Model, request: Any, tokens: Tokens = ()) -> Any:
        """Return the response to a request that runs by itself, without name and version of the model.

        Raises:
            CallCancelledError: the tokens were cancelled meanwhile.
            ServingError: the request does not fit the model, or the model failed.
        """
        call = replace(self.read(model, request), tokens=tokens)
        return self.respond(call, model.call(call))
