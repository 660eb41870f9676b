"""MultiInference: several classifications and regressions of the same examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from contract.serving_messages import MultiInferenceResponse
from contract.signatures import SERVING_DEFAULT
from modelserver.errors import BadInputError, UnsupportedMethodError
from modelserver.model.cancellation import Tokens
from modelserver.model.spans import CallSpans
from modelserver.model.version import Model
from modelserver.requests.examples import INPUT, serialized_examples
from modelserver.requests.handlers import CLASSIFY, REGRESS

_HANDLERS = {handler.method: handler for handler in (CLASSIFY, REGRESS)}


def infer_all(model: Model, request: Any, tokens: Tokens = (), spans: CallSpans = ()) -> Any:
    """Return the MultiInferenceResponse to a MultiInferenceRequest, without names and versions of the model.

    All tasks are checked before the first one runs. The texts of errors are TensorFlow Serving's.

    Raises:
        CallCancelledError: the tokens were cancelled meanwhile.
        ServingError: the tasks do not go together, or one fails as its own request would.
    """
    outputs = _checked(model, request.tasks)
    examples = serialized_examples(request.input)
    response = MultiInferenceResponse()
    for task, (signature_name, wanted) in zip(request.tasks, outputs.items(), strict=True):
        handler = _HANDLERS[task.method_name]
        result = response.results.add(model_spec={"signature_name": signature_name})
        call = replace(model.check(signature_name, {INPUT: examples}, wanted), tokens=tokens, spans=spans)
        values = model.call(call)
        handler.add_results(getattr(result, f"{handler.noun}_result"), values, len(examples))
    return response


def _checked(model: Model, tasks: Sequence[Any]) -> dict[str, list[str]]:
    """Return the outputs to run by signature, in the order of the tasks."""
    definitions = model.signature_definitions.signature_def
    outputs: dict[str, list[str]] = {}
    feeds = set()
    for task in tasks:
        if not task.model_spec.name:
            raise BadInputError("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise BadInputError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or SERVING_DEFAULT
        if name in outputs:
            raise BadInputError(f"Duplicate evaluation of signature: {name}")
        if name not in definitions:
            raise BadInputError(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _HANDLERS:
            raise UnsupportedMethodError(f"Unsupported signature method_name: {task.method_name}")
        outputs[name] = _HANDLERS[task.method_name].outputs_of(definitions[name])
        feeds.add(definitions[name].inputs[INPUT].name)
        if len(feeds) > 1:
            raise BadInputError("Input tensor must be the same for all Signatures.")
    return outputs
