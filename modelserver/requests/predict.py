"""From a Predict request to its answer."""

from typing import Any

from contract.serving_messages import PredictResponse
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.model_version import Model
from modelserver.model.signatures import DEFAULT_SIGNATURE
from modelserver.model.tensors import to_array, write_tensor


def read_predict(model: Model, request: Any) -> GraphCall:
    """Return what a PredictRequest asks of the graph.

    Raises:
        ModelServerError: it does not fit the model, or a tensor cannot be read.
    """
    inputs = {name: to_array(tensor, name) for name, tensor in request.inputs.items()}
    return model.check(request.model_spec.signature_name or DEFAULT_SIGNATURE, inputs, request.output_filter)


def predict_response(call: GraphCall, outputs: GraphOutputs) -> Any:
    """Return the PredictResponse that the outputs of `read_predict`'s call make.

    Raises:
        UnsupportedTypeError: a tensor cannot be sent.
    """
    response = PredictResponse()
    for name, array in outputs.items():
        write_tensor(array, response.outputs[name])
    response.model_spec.signature_name = call.signature_name
    return response
