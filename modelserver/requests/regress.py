"""From a Regress request to its answer. The texts of errors are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any

from contract.serving_messages import RegressionResponse
from modelserver.errors import BadInputError
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.model_version import Model
from modelserver.model.tensors import Array, data_type_label, shape_text
from modelserver.requests.examples import INPUT, serialized_examples, signature_for_examples

METHOD = "tensorflow/serving/regress"

_OUTPUT = "outputs"


def read_regress(model: Model, request: Any) -> GraphCall:
    """Return what a RegressionRequest asks of the graph.

    Raises:
        ModelServerError: the signature is missing or not for regression, or there is no example.
    """
    name, definition = signature_for_examples(model, request.model_spec)
    outputs = regression_outputs(definition)
    return model.check(name, {INPUT: serialized_examples(request.input)}, outputs)


def regression_response(call: GraphCall, outputs: GraphOutputs) -> Any:
    """Return the RegressionResponse that outputs of `read_regress`'s call make.

    Raises:
        ModelServerError: they are not fit for one.
    """
    response = RegressionResponse()
    add_regressions(response.result, outputs, call.rows())
    response.model_spec.signature_name = call.signature_name
    return response


def regression_outputs(definition: Any) -> list[str]:
    """Return the one output of a SignatureDef for regression.

    Raises:
        BadInputError: the signature is not for regression.
    """
    if len(definition.inputs) != 1:
        raise BadInputError("Expected one input Tensor.")
    if len(definition.outputs) != 1:
        raise BadInputError("Expected one output Tensor.")
    if INPUT not in definition.inputs:
        raise BadInputError(f"No regression inputs found in SignatureDef: {definition}")
    if _OUTPUT not in definition.outputs:
        raise BadInputError(f"No regression outputs found in SignatureDef: {definition}")
    return [_OUTPUT]


def add_regressions(result: Any, outputs: Mapping[str, Array], rows: int) -> None:
    """Add to a RegressionResult the value of each example: `outputs` is float32 [N] or [N,1].

    Raises:
        BadInputError: the output has another type or shape.
    """
    values = outputs[_OUTPUT]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise BadInputError(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got " + shape_text(values)
        )
    if len(values) != rows:
        raise BadInputError(f"Input batch size did not match output batch size: {rows} vs. {len(values)}")
    if data_type_label(values) != "DT_FLOAT":
        raise BadInputError(f"Expected output Tensor of DT_FLOAT.  Got: {data_type_label(values)}")
    for value in values.ravel().tolist():
        result.regressions.add(value=value)
