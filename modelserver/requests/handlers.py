"""From a request to its answer: what is read, run on the model, and said of what came out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.model_version import Model
from modelserver.requests.classify import classification_response, read_classify
from modelserver.requests.predict import predict_response, read_predict
from modelserver.requests.regress import read_regress, regression_response


@dataclass(frozen=True)
class Story:
    """One kind of request. Its parts, which raise ModelServerErrors, are apart so that calls can share a run."""

    read: Callable[[Model, Any], GraphCall]
    respond: Callable[[GraphCall, GraphOutputs], Any]

    def answer(self, model: Model, request: Any) -> Any:
        """Return the response to a request that runs by itself, without the name and the version of the model.

        Raises:
            ModelServerError: the request does not fit the model, or the model failed.
        """
        call = self.read(model, request)
        return self.respond(call, model.call(call))


PREDICT = Story(read_predict, predict_response)
CLASSIFY = Story(read_classify, classification_response)
REGRESS = Story(read_regress, regression_response)
