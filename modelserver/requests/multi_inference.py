"""From a MultiInference request, several classifications and regressions of the same examples, to its answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.serving_messages import MultiInferenceResponse
from modelserver.errors import BadInputError, UnsupportedMethodError
from modelserver.model.model_version import Model
from modelserver.model.signatures import DEFAULT_SIGNATURE
from modelserver.requests import classify as classification
from modelserver.requests import regress as regression
from modelserver.requests.examples import INPUT, serialized_examples


@dataclass(frozen=True)
class _Kind:
    field: str
    outputs: Callable[[Any], list[str]]
    add: Callable[[Any, Mapping[str, Any], int], None]


_KINDS = {
    classification.METHOD: _Kind(
        "classification_result", classification.classification_outputs, classification.add_classifications
    ),
    regression.METHOD: _Kind("regression_result", regression.regression_outputs, regression.add_regressions),
}


def infer_all(model: Model, request: Any) -> Any:
    """Return the MultiInferenceResponse to a MultiInferenceRequest, without names and versions of the model.

    All tasks are checked before the first one runs. The texts of errors are TensorFlow Serving's.

    Raises:
        ModelServerError: the tasks do not go together, or one fails as its own call would.
    """
    outputs = _checked(model, request.tasks)
    examples = serialized_examples(request.input)
    response = MultiInferenceResponse()
    for task, (signature_name, wanted) in zip(request.tasks, outputs.items(), strict=True):
        kind = _KINDS[task.method_name]
        result = response.results.add(model_spec={"signature_name": signature_name})
        values = model.run(signature_name, {INPUT: examples}, wanted)
        kind.add(getattr(result, kind.field), values, len(examples))
    return response


def _checked(model: Model, tasks: Sequence[Any]) -> dict[str, list[str]]:
    """Return the outputs to ask for by signature, in the order of the tasks."""
    definitions = model.signature_definitions.signature_def
    outputs: dict[str, list[str]] = {}
    feeds = set()
    for task in tasks:
        if not task.model_spec.name:
            raise BadInputError("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise BadInputError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in outputs:
            raise BadInputError(f"Duplicate evaluation of signature: {name}")
        if name not in definitions:
            raise BadInputError(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _KINDS:
            raise UnsupportedMethodError(f"Unsupported signature method_name: {task.method_name}")
        outputs[name] = _KINDS[task.method_name].outputs(definitions[name])
        feeds.add(definitions[name].inputs[INPUT].name)
        if len(feeds) > 1:
            raise BadInputError("Input tensor must be the same for all Signatures.")
    return outputs
